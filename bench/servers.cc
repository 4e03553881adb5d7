#include "bench/servers.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "bench/load.h"

namespace stepwell::bench {

absl::StatusOr<std::unique_ptr<ChildProcess>> StartStepwelld(const std::filesystem::path& models) {
  return ChildProcess::Start({STEPWELLD, "--models", models.string(), "--in-memory", "--listen",
                              "127.0.0.1:0", "--log-level", "error"});
}

absl::StatusOr<std::unique_ptr<ChildProcess>> StartStepwelldOn(const std::filesystem::path& data,
                                                               const std::filesystem::path& models,
                                                               const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {STEPWELLD,     "--models",    models.string(),
                                        "--data-dir",  data.string(), "--listen",
                                        "127.0.0.1:0", "--log-level", "error"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return ChildProcess::Start(std::move(arguments));
}

absl::StatusOr<std::unique_ptr<ChildProcess>> StartLog(const std::string& reply,
                                                       const std::filesystem::path& file) {
  return ChildProcess::Start({STEPWELL_BENCH_LOG, absl::WebSafeBase64Escape(reply), file.string()});
}

absl::StatusOr<std::unique_ptr<ChildProcess>> StartEcho(const std::string& reply) {
  return ChildProcess::Start({STEPWELL_BENCH_ECHO, absl::WebSafeBase64Escape(reply)});
}

absl::StatusOr<int64_t> MakeState(v1::StateService::Stub& stub, const std::string& model) {
  grpc::ClientContext context;
  v1::MakeStateRequest request;
  request.set_model(model);
  v1::MakeStateResponse response;
  const grpc::Status made = stub.MakeState(&context, request, &response);
  if (made.ok()) return response.snapshot().version();
  return FromGrpc("MakeState", made);
}

}  // namespace stepwell::bench
