#include "stepwell/engine/step_queues.h"

#include <algorithm>
#include <utility>

#include "stepwell/engine/run_together.h"

namespace stepwell {

bool StepQueues::Add(std::shared_ptr<Step> step) {
  const Method* const method = step->method();
  const Step* const added = step.get();
  {
    absl::MutexLock lock(&mutex_);
    queues_[method].push_back(std::move(step));
  }
  WorkerPool::Task work = [this, method] { Work(method); };
  if (pool_->TrySchedule(work)) return true;

  absl::MutexLock lock(&mutex_);
  const auto found = queues_.find(method);
  if (found == queues_.end()) return true;
  Queue& queue = found->second;
  const auto at = std::ranges::find(queue, added, [](const auto& waiting) { return waiting.get(); });
  if (at == queue.end()) return true;  // A worker has taken it with the others.
  queue.erase(at);
  if (queue.empty()) queues_.erase(found);
  return false;
}

void StepQueues::Work(const Method* method) {
  const std::vector<std::shared_ptr<Step>> steps = Take(method);
  if (!steps.empty()) RunTogether(steps, *writer_);
}

std::vector<std::shared_ptr<Step>> StepQueues::Take(const Method* method) {
  absl::MutexLock lock(&mutex_);
  auto found = queues_.find(method);
  if (found == queues_.end()) return {};
  const Batching batching = method->batching();
  const auto limit = static_cast<size_t>(batching.max_batch_size);
  if (found->second.size() > 1 && found->second.size() < limit &&
      batching.max_queue_delay > absl::ZeroDuration()) {
    // Also over when another worker takes them.
    const auto is_over = [this, method, limit]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      const auto queue = queues_.find(method);
      return queue == queues_.end() || queue->second.size() >= limit;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&is_over), batching.max_queue_delay);
    found = queues_.find(method);
    if (found == queues_.end()) return {};
  }
  Queue& queue = found->second;
  std::vector<std::shared_ptr<Step>> taken;
  while (!queue.empty() && taken.size() < limit) {
    taken.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  if (queue.empty()) queues_.erase(found);
  return taken;
}

}  // namespace stepwell
