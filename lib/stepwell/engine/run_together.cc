#include "stepwell/engine/run_together.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace stepwell {
namespace {

using TakeResult = absl::FunctionRef<void(size_t, absl::StatusOr<MethodResult>&&)>;

// Computes those steps of one method that stand at `which`.
void ComputeOfMethod(const Method& method, absl::Span<const std::shared_ptr<Step>> steps,
                     absl::Span<const size_t> which, TakeResult take) {
  const auto limit = static_cast<size_t>(method.batching().max_batch_size);
  std::vector<size_t> batch;
  std::vector<MethodCall> calls;
  for (size_t next = 0; next < which.size();) {
    batch.clear();
    calls.clear();
    // Asked right before it runs: those behind may wait long for it.
    for (; next < which.size() && batch.size() < limit; ++next) {
      const size_t at = which[next];
      absl::Status waits = steps[at]->CheckCall();
      if (!waits.ok()) {
        take(at, std::move(waits));
        continue;
      }
      batch.push_back(at);
      calls.push_back(steps[at]->ToMethodCall());
    }
    if (calls.size() == 1) {
      take(batch[0], method.Run(calls[0].inputs, calls[0].state));
      continue;
    }
    std::vector<absl::StatusOr<MethodResult>> computed = method.RunBatch(calls);
    for (size_t i = 0; i < batch.size(); ++i) take(batch[i], std::move(computed[i]));
  }
}

}  // namespace

void ComputeTogether(absl::Span<const std::shared_ptr<Step>> steps, TakeResult take) {
  absl::flat_hash_map<const Method*, std::vector<size_t>> by_method;
  for (size_t i = 0; i < steps.size(); ++i) by_method[steps[i]->method()].push_back(i);
  for (const auto& [method, which] : by_method) ComputeOfMethod(*method, steps, which, take);
}

void RunTogether(absl::Span<const std::shared_ptr<Step>> steps, SnapshotWriter& writer) {
  std::vector<SnapshotWrite> writes;
  writes.reserve(steps.size());
  ComputeTogether(steps, [&](size_t at, absl::StatusOr<MethodResult>&& computed) {
    steps[at]->Conclude(steps[at]->Receive(std::move(computed)), writes);
  });
  writer.WriteEach(std::move(writes));
}

}  // namespace stepwell
