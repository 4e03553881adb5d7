#ifndef STEPWELL_BENCH_STREAM_LOAD_H_
#define STEPWELL_BENCH_STREAM_LOAD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"

namespace stepwell::bench {

// Sends one message after the other on a stream and takes a reply for each, so that a number of them is in
// flight. Messages and replies are bytes here, neither built nor parsed. The same for every server that
// answers each message with one. Thread-compatible.
class StreamLoad {
 public:
  // Each stream calls `method` ("/stepwell.v1.StateService/StepStream"), sends `first` once, and then
  // `message` again and again.
  StreamLoad(std::shared_ptr<grpc::Channel> channel, std::string method,
             const google::protobuf::Message& first, const google::protobuf::Message& message, int in_flight);

  // The replies of a stream that goes on for `time`, and then until everything that was sent is answered.
  absl::StatusOr<double> RepliesPerSecond(absl::Duration time);

  // The reply to `message`.
  absl::StatusOr<std::string> OneReply();

 private:
  class Stream;

  std::shared_ptr<grpc::Channel> channel_;
  std::string method_;
  std::string first_;
  std::string message_;
  int in_flight_;
};

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_STREAM_LOAD_H_
