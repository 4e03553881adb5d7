#include "server/services/model_service.h"

#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/rpc/rpc_server.h"
#include "stepwell/model/testing/load_gate.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell::server {
namespace {

constexpr char kText[] = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";

TEST(ModelService, LoadHoldsUpNoOtherCall) {
  const testing::TempFolder folder;
  folder.Write("slow/step.onnx", testing::LoadGate::Graph().Bytes());
  folder.Write("slow/model.textproto", kText);
  ModelRepository models({.root = folder.path()});
  RpcServer rpcs({.listen = {"127.0.0.1:0"}});
  const ModelService service(&models, {}, rpcs);
  ASSERT_TRUE(rpcs.Start().ok());
  const auto stub =
      v1::ModelService::NewStub(grpc::CreateChannel(rpcs.addresses()[0], grpc::InsecureChannelCredentials()));

  testing::LoadGate gate;
  const auto load = [&] {
    grpc::ClientContext context;
    v1::LoadModelRequest request;
    request.set_name("slow");
    v1::LoadModelResponse reply;
    const grpc::Status status = stub->LoadModel(&context, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(reply.model().state(), v1::ModelInfo::READY);
  };
  std::thread first(load);
  gate.WaitUntilHeld();
  std::thread second(load);
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    v1::ListModelsResponse reply;
    const grpc::Status status = stub->ListModels(&context, {}, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(reply.models_size(), 1);
    EXPECT_EQ(reply.models(0).name(), "slow");
    EXPECT_EQ(reply.models(0).state(), v1::ModelInfo::LOADING);
  }
  gate.Open();
  first.join();
  second.join();
  EXPECT_TRUE(rpcs.Stop(absl::Now() + absl::Minutes(2)));
}

}  // namespace
}  // namespace stepwell::server
