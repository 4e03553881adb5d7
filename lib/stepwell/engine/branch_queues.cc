#include "stepwell/engine/branch_queues.h"

#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"

namespace stepwell {

BranchQueues::Shard& BranchQueues::ShardOf(const std::string& branch) {
  return shards_[absl::HashOf(branch) % shards_.size()];
}

absl::Status BranchQueues::Enter(const std::string& branch, Turn turn) {
  Shard& shard = ShardOf(branch);
  {
    absl::MutexLock lock(&shard.mutex);
    const auto [queue, first] = shard.queues.try_emplace(branch);
    if (!first) {
      if (queue->second.waiting.size() >= max_waiting_) {
        return QueueFull(absl::StrCat("the queue of branch \"", branch, "\""), max_waiting_);
      }
      queue->second.waiting.push_back(std::move(turn));
      return absl::OkStatus();
    }
  }
  std::move(turn)();
  return absl::OkStatus();
}

void BranchQueues::Leave(const std::string& branch) {
  Shard& shard = ShardOf(branch);
  {
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.queues.find(branch);
    Queue& queue = found->second;
    if (queue.draining) {
      queue.left = true;
      return;
    }
    if (queue.waiting.empty()) {
      shard.queues.erase(found);
      return;
    }
    queue.draining = queue.left = true;
  }
  // On the pool rather than here: whoever leaves has a reply to send, and a long queue would deepen the
  // stack.
  pool_->Schedule([this, branch] { Drain(branch); });
}

void BranchQueues::Drain(const std::string& branch) {
  Shard& shard = ShardOf(branch);
  while (true) {
    Turn turn;
    {
      absl::MutexLock lock(&shard.mutex);
      const auto found = shard.queues.find(branch);
      Queue& queue = found->second;
      if (!queue.left) {  // The turn goes on elsewhere; its Leave will start another drain.
        queue.draining = false;
        return;
      }
      if (queue.waiting.empty()) {
        shard.queues.erase(found);
        return;
      }
      queue.left = false;
      turn = std::move(queue.waiting.front());
      queue.waiting.pop_front();
    }
    std::move(turn)();
  }
}

}  // namespace stepwell
