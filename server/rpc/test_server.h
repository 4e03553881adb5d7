#ifndef STEPWELL_SERVER_RPC_TEST_SERVER_H_
#define STEPWELL_SERVER_RPC_TEST_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/rpc/rpc_server.h"
#include "server/services/call_handlers.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::server {

inline constexpr absl::Duration kLong = absl::Minutes(2);  // Never reached.

// A message without fields: no bytes, but a message, without which a reply is none.
inline grpc::ByteBuffer EmptyMessage() {
  const grpc::Slice none;
  return grpc::ByteBuffer(&none, 1);
}

// An RpcServer in this process whose Step, GetSnapshot and ReadArrays are what the test gives it.
class TestServer {
 public:
  using Service = v1::StateService;
  using StepHandler = std::function<void(std::shared_ptr<UnaryCall>, v1::StepRequest&&)>;
  using ReadHandler = std::function<void(std::shared_ptr<ServerStreamCall>, v1::ReadArraysRequest&&)>;

  explicit TestServer(StepHandler step, ReadHandler read = nullptr,
                      RpcServerOptions options = {.listen = {"127.0.0.1:0"}})
      : rpcs_(std::move(options)) {
    rpcs_.AddService(&service_);
    AddUnary<v1::StepRequest>(rpcs_, service_, &Generated::RequestStep, std::move(step));
    AddServerStream<v1::ReadArraysRequest>(rpcs_, service_, &Generated::RequestReadArrays, std::move(read));
    // Answered at once: to ask whether the server takes calls.
    AddUnary<v1::GetSnapshotRequest>(
        rpcs_, service_, &Generated::RequestGetSnapshot,
        [](std::shared_ptr<UnaryCall> call, v1::GetSnapshotRequest&&) { call->Answer(EmptyMessage()); });
  }

  // Before Start: what its streams of requests are handled by. Without, their clients wait.
  void HandleStepStream(BidiStreamCall::Handler handler) {
    AddBidiStream(rpcs_, service_, &Generated::RequestStepStream, std::move(handler));
  }
  void HandleWriteArrays(ClientStreamCall::Handler handler) {
    AddClientStream(rpcs_, service_, &Generated::RequestWriteArrays, std::move(handler));
  }

  // Starts it; the test fails where that fails.
  void Start() { ASSERT_TRUE(rpcs_.Start().ok()); }

  RpcServer& rpcs() { return rpcs_; }

  // A client with a connection of its own.
  std::unique_ptr<Service::Stub> NewStub() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return Service::NewStub(
        grpc::CreateCustomChannel(rpcs_.addresses().at(0), grpc::InsecureChannelCredentials(), arguments));
  }

 private:
  using Generated =
      Service::WithRawMethod_Step<Service::WithRawMethod_StepStream<Service::WithRawMethod_ReadArrays<
          Service::WithRawMethod_WriteArrays<Service::WithRawMethod_GetSnapshot<Service::Service>>>>>;

  Generated service_;
  RpcServer rpcs_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_TEST_SERVER_H_
