#ifndef STEPWELL_BENCH_SERVERS_H_
#define STEPWELL_BENCH_SERVERS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/child_process.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::bench {

// The real stepwelld on a repository of models, in memory and on any free port; its other settings are the
// defaults.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartStepwelld(const std::filesystem::path& models);

// The same, with its state in `data`, and further flags.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartStepwelldOn(const std::filesystem::path& data,
                                                               const std::filesystem::path& models,
                                                               const std::vector<std::string>& flags = {});

// The raw server, which answers unary calls, and every message of a stream, with `reply`.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartEcho(const std::string& reply);

// The raw server that answers unary calls with `reply` once they are in the log at `file`, which is made
// anew.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartLog(const std::string& reply,
                                                       const std::filesystem::path& file);

// The version of a new state of `model`.
absl::StatusOr<int64_t> MakeState(v1::StateService::Stub& stub, const std::string& model);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_SERVERS_H_
