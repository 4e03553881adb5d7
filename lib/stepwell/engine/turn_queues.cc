#include "stepwell/engine/turn_queues.h"

#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"

namespace stepwell {

TurnQueues::Shard& TurnQueues::ShardOf(const std::string& name) {
  return shards_[absl::HashOf(name) % shards_.size()];
}

absl::Status TurnQueues::Enter(const std::string& name, Turn turn) {
  Shard& shard = ShardOf(name);
  {
    absl::MutexLock lock(&shard.mutex);
    const auto [queue, first] = shard.queues.try_emplace(name);
    if (!first) {
      if (queue->second.waiting.size() >= max_waiting_) {
        return QueueFull(absl::StrCat("the queue of ", what_, " \"", name, "\""), max_waiting_);
      }
      queue->second.waiting.push_back(std::move(turn));
      return absl::OkStatus();
    }
  }
  std::move(turn)();
  return absl::OkStatus();
}

void TurnQueues::Leave(const std::string& name) {
  Shard& shard = ShardOf(name);
  {
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.queues.find(name);
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
  pool_->Schedule([this, name] { Drain(name); });
}

void TurnQueues::Drain(const std::string& name) {
  Shard& shard = ShardOf(name);
  while (true) {
    Turn turn;
    {
      absl::MutexLock lock(&shard.mutex);
      const auto found = shard.queues.find(name);
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
