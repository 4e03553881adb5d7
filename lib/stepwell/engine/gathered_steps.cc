#include "stepwell/engine/gathered_steps.h"

#include <utility>

#include "stepwell/engine/run_together.h"

namespace stepwell {

bool GatheredSteps::Add(std::shared_ptr<Step> step) {
  const Method* const method = step->method();
  const auto limit = static_cast<size_t>(method->batching().max_batch_size);
  if (limit <= 1) return false;
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  Steps& steps = waiting_[method];
  steps.push_back(std::move(step));
  if (steps.size() == limit) full_.push_back(std::exchange(steps, {}));
  return true;
}

void GatheredSteps::RunFull() {
  std::vector<Steps> full;
  {
    absl::MutexLock lock(&mutex_);
    full.swap(full_);
  }
  for (const Steps& steps : full) RunTogether(steps, *writer_);
}

void GatheredSteps::RunAll() {
  std::vector<Steps> rest;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    rest.swap(full_);
    for (auto& [method, steps] : waiting_) rest.push_back(std::move(steps));
    waiting_.clear();
  }
  for (const Steps& steps : rest) RunTogether(steps, *writer_);
}

}  // namespace stepwell
