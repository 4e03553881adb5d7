#include "stepwell/engine/gathered_steps.h"

#include <utility>

namespace stepwell {

bool GatheredSteps::Add(std::shared_ptr<Step> step) {
  const Method* const method = step->method();
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  Group& group = waiting_[method];
  group.push_back(std::move(step));
  if (group.size() == static_cast<size_t>(method->batching().max_batch_size)) {
    full_.push_back(std::exchange(group, {}));
  }
  return true;
}

std::vector<GatheredSteps::Group> GatheredSteps::TakeFull() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(full_, {});
}

std::vector<GatheredSteps::Group> GatheredSteps::TakeAll() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  std::vector<Group> all = std::exchange(full_, {});
  for (auto& [method, group] : waiting_) {
    if (!group.empty()) all.push_back(std::move(group));
  }
  waiting_.clear();
  return all;
}

}  // namespace stepwell
