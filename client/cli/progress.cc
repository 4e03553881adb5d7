#include "client/cli/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace stepwell::cli {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kInterval = absl::Milliseconds(100);
constexpr int64_t kBarWidth = 30;
constexpr char kWipe[] = "\r\x1b[K";  // To the start of the line, and clear it.

}  // namespace

std::string BytesToText(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

ProgressBar::ProgressBar(std::ostream* out, std::function<absl::Time()> now)
    : out_(out), now_(std::move(now)), start_(now_()), next_(start_ + kPatience) {}

ProgressBar::~ProgressBar() {
  if (drawn_) *out_ << kWipe << std::flush;
}

void ProgressBar::Update(int64_t received, int64_t total) {
  if (out_ == nullptr || total <= 0) return;
  const absl::Time now = now_();
  if (now < next_) return;
  next_ = now + kInterval;
  drawn_ = true;
  const int64_t filled = std::clamp<int64_t>(received * kBarWidth / total, 0, kBarWidth);
  const double seconds = absl::ToDoubleSeconds(now - start_);
  *out_ << kWipe << "[" << std::string(static_cast<size_t>(filled), '#')
        << std::string(static_cast<size_t>(kBarWidth - filled), ' ') << "] " << received * 100 / total
        << "%  " << BytesToText(received) << " of " << BytesToText(total) << ", "
        << BytesToText(static_cast<int64_t>(static_cast<double>(received) / seconds)) << "/s" << std::flush;
}

}  // namespace stepwell::cli
