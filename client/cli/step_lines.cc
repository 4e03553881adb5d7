#include "client/cli/step_lines.h"

#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "client/cli/array_json.h"
#include "client/cli/error.h"

namespace stepwell::cli {
namespace {

// Read and not yet asked for; more only when lines are no steps, as those that are wait for the stream.
constexpr size_t kMaxLines = 1024;

}  // namespace

std::shared_ptr<StepLines> StepLines::Start(std::istream* in, SpecList specs, client::StreamStep step,
                                            client::Stream* stream) {
  std::shared_ptr<StepLines> lines(new StepLines(in, std::move(specs), std::move(step), stream));
  // Detached, since nothing ends its wait for a line that does not come.
  std::thread([lines] { lines->Run(); }).detach();
  return lines;
}

void StepLines::Run() {
  std::string text;
  int64_t number = 0;
  while (std::getline(*in_, text)) {
    ++number;
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    absl::StatusOr<client::StreamStep> step = Parse(text);
    if (!Add({number, step.status()})) return;
    absl::Status written;
    if (step.ok()) written = stream_->Write(*std::move(step));
    const absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!written.ok()) break;  // The stream says why.
  }
  const absl::MutexLock lock(&mutex_);
  finished_ = true;
  if (!ended_) stream_->WritesDone();
}

absl::StatusOr<client::StreamStep> StepLines::Parse(absl::string_view text) const {
  const absl::StatusOr<Json> object = ParseJson(text);
  if (!object.ok()) return object.status();
  if (!object->is_object()) return BadInput("the line is no JSON object of inputs, such as {\"x\": 5}");
  client::StreamStep step = step_;
  absl::StatusOr<client::NamedArrays> inputs = specs_.ReadObject(*object, "");
  if (!inputs.ok()) return inputs.status();
  step.inputs = *std::move(inputs);
  return step;
}

bool StepLines::HasRoom() const { return ended_ || lines_.size() < kMaxLines; }

bool StepLines::Add(Line line) {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &StepLines::HasRoom));
  if (ended_) return false;
  lines_.push_back(std::move(line));
  writing_ = true;
  return true;
}

std::optional<StepLines::Line> StepLines::Next() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &StepLines::HasLine));
  if (lines_.empty()) return std::nullopt;
  Line line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

void StepLines::End() {
  const absl::MutexLock lock(&mutex_);
  ended_ = true;
  mutex_.Await(absl::Condition(this, &StepLines::IsNotWriting));
}

}  // namespace stepwell::cli
