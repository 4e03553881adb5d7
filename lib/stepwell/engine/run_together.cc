#include "stepwell/engine/run_together.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace stepwell {
namespace {

// Computes steps of one method; `results` are those of all steps.
void ComputeOfMethod(const Method& method, absl::Span<const std::shared_ptr<Step>> steps,
                     absl::Span<const size_t> which, std::vector<absl::StatusOr<MethodResult>>& results) {
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
        results[at] = std::move(waits);
        continue;
      }
      batch.push_back(at);
      calls.push_back(steps[at]->ToMethodCall());
    }
    if (calls.size() == 1) {
      results[batch[0]] = method.Run(calls[0].inputs, calls[0].state);
      continue;
    }
    std::vector<absl::StatusOr<MethodResult>> computed = method.RunBatch(calls);
    for (size_t i = 0; i < batch.size(); ++i) results[batch[i]] = std::move(computed[i]);
  }
}

}  // namespace

std::vector<absl::StatusOr<MethodResult>> ComputeTogether(absl::Span<const std::shared_ptr<Step>> steps) {
  std::vector<absl::StatusOr<MethodResult>> results(steps.size());
  absl::flat_hash_map<const Method*, std::vector<size_t>> by_method;
  for (size_t i = 0; i < steps.size(); ++i) by_method[steps[i]->method()].push_back(i);
  for (const auto& [method, which] : by_method) ComputeOfMethod(*method, steps, which, results);
  return results;
}

void RunTogether(absl::Span<const std::shared_ptr<Step>> steps, SnapshotWriter& writer) {
  std::vector<absl::StatusOr<MethodResult>> computed = ComputeTogether(steps);
  std::vector<SnapshotWrite> writes;
  writes.reserve(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    std::optional<SnapshotWrite> write = steps[i]->Conclude(steps[i]->Receive(std::move(computed[i])));
    if (write.has_value()) writes.push_back(*std::move(write));
  }
  writer.WriteEach(std::move(writes));
}

}  // namespace stepwell
