#include "stepwell/state/version_allocator.h"

#include <cstddef>
#include <utility>

namespace stepwell {

VersionAllocator::VersionAllocator(Store* store, int64_t block_size)
    : store_(store), block_size_(block_size) {}

VersionAllocator::~VersionAllocator() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](bool* reserving) { return !*reserving; }, &reserving_));
}

std::optional<Version> VersionAllocator::Take() {
  if (blocks_.empty()) return std::nullopt;
  VersionBlock& block = blocks_.front();
  const Version version = block.begin;
  block.begin = Version(version.value() + 1);
  if (block.begin == block.end) blocks_.erase(blocks_.begin());
  return version;
}

bool VersionAllocator::StartReserving() {
  const bool low = blocks_.empty() || (blocks_.size() == 1 &&
                                       blocks_[0].end.value() - blocks_[0].begin.value() <= block_size_ / 2);
  if (!low || reserving_) return false;
  reserving_ = true;
  return true;
}

std::optional<Version> VersionAllocator::TakeOrWait(VersionCallback* waiting) {
  std::optional<Version> version;
  bool reserve = false;
  {
    absl::MutexLock lock(&mutex_);
    version = Take();
    if (!version.has_value() && waiting != nullptr) waiting_.push_back(std::move(*waiting));
    reserve = (version.has_value() || waiting != nullptr) && StartReserving();
  }
  if (reserve) Reserve();
  return version;
}

std::optional<Version> VersionAllocator::TryNext() { return TakeOrWait(nullptr); }

void VersionAllocator::Next(VersionCallback done) {
  const std::optional<Version> version = TakeOrWait(&done);
  if (version.has_value()) std::move(done)(*version);
}

void VersionAllocator::Reserve() {
  store_->ReserveVersions(block_size_, [this](absl::StatusOr<VersionBlock> block) { OnReserved(block); });
}

void VersionAllocator::OnReserved(const absl::StatusOr<VersionBlock>& block) {
  std::vector<std::pair<VersionCallback, absl::StatusOr<Version>>> answers;
  bool again = false;
  {
    absl::MutexLock lock(&mutex_);
    if (block.ok()) blocks_.push_back(*block);
    size_t answered = 0;
    for (; answered < waiting_.size(); ++answered) {
      const std::optional<Version> version = Take();
      if (!version.has_value() && block.ok()) break;
      answers.emplace_back(std::move(waiting_[answered]),
                           version.has_value() ? absl::StatusOr<Version>(*version) : block.status());
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(answered));
    again = reserving_ = !waiting_.empty();
  }
  if (again) Reserve();
  for (auto& [done, version] : answers) std::move(done)(std::move(version));
}

}  // namespace stepwell
