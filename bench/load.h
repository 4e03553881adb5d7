#ifndef STEPWELL_BENCH_LOAD_H_
#define STEPWELL_BENCH_LOAD_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::bench {

// A channel to a server of the benchmark, over TCP on the loopback.
std::shared_ptr<grpc::Channel> Connect(const std::string& address);

// The status of a call; `method` begins its message.
absl::Status FromGrpc(const std::string& method, const grpc::Status& status);

// Steps a number of streams over one channel, each from the version that its last reply gave: as many calls
// are outstanding as there are streams, all on one completion queue and one thread. The same for every server
// that answers StepRequests with StepResponses. Thread-compatible.
class StepLoad {
 public:
  // Calls `method` ("/stepwell.v1.StateService/Step"). Each stream starts with one of `requests`.
  StepLoad(std::shared_ptr<grpc::Channel> channel, std::string method, std::vector<v1::StepRequest> requests);
  ~StepLoad();

  // Keeps every stream stepping for `time`.
  absl::StatusOr<double> CallsPerSecond(absl::Duration time);

  // The median of the times, in microseconds, from the start of a call to its reply, while every stream steps
  // for `time`.
  absl::StatusOr<double> MedianLatencyMicros(absl::Duration time);

 private:
  class Stream;

  struct Run {
    std::vector<double> latencies_micros;  // Of each call.
    absl::Duration elapsed;                // From the first request to the last reply.
  };
  absl::StatusOr<Run> StepFor(absl::Duration time);

  grpc::TemplatedGenericStub<v1::StepRequest, v1::StepResponse> stub_;
  const std::string method_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

// Reads one stream of replies to its end, message by message, and drops them. Returns the bytes that came.
absl::StatusOr<int64_t> ReadStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                                   const google::protobuf::Message& request);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_LOAD_H_
