#ifndef STEPWELL_BENCH_SERVERS_H_
#define STEPWELL_BENCH_SERVERS_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/child_process.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::bench {

// The real stepwelld on a repository of models, in memory and on any free port; its other settings are the
// defaults.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartStepwelld(const std::filesystem::path& models);

// The raw server, which answers unary calls, and every message of a stream, with `reply`.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartEcho(const std::string& reply);

// The version of a new state of `model`.
absl::StatusOr<int64_t> MakeState(v1::StateService::Stub& stub, const std::string& model);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_SERVERS_H_
