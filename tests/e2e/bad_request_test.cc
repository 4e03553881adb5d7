// Requests that cannot be done, through the wire: each is told its code and reason, and leaves nothing
// behind.
#include <limits>

#include "absl/synchronization/notification.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::ArraySelector;
using client::BranchName;
using client::Client;
using client::IndexPath;
using client::IndexPosition;
using client::IndexSubtree;
using client::StepRequest;
using client::Version;
using ::testing::HasSubstr;

TEST_F(ServerTest, WhatIsNotThereIsNotFound) {
  const Version root = Make("counter");
  ExpectError(client_->MakeState({.model = "nope"}).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "nope");
  ExpectError(client_->MakeState({.model = "counter", .revision = 9}).status(), absl::StatusCode::kNotFound,
              "MODEL_NOT_FOUND", "9");
  ExpectError(client_->Step({.state = root, .method = "nope"}).status(), absl::StatusCode::kNotFound,
              "METHOD_NOT_FOUND", "step");
  ExpectError(client_->GetArrays({.state = root, .selectors = {{IndexPath{"coun"}, {}}}}).status(),
              absl::StatusCode::kNotFound, "INDEX_NOT_FOUND", "count");
  ExpectError(client_->GetArrays({.state = root, .selectors = {{IndexSubtree{"layers"}, {}}}}).status(),
              absl::StatusCode::kNotFound, "INDEX_NOT_FOUND");
  ExpectError(client_->GetSnapshot(Version{999999}).status(), absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN",
              "999999");
  ExpectError(client_->Step({.state = Version{999999}}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_UNKNOWN");
  ExpectError(client_->Step({.state = BranchName{"nope"}}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
  ExpectError(client_->GetBranch("nope").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND", "nope");
  ExpectError(client_->CreateBranch({.name = "nope", .state = Version{999999}}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  for (const absl::Status& status : {client_->LoadModel("nope").status(), client_->UnloadModel("nope"),
                                     client_->GetModel("nope").status()}) {
    ExpectError(status, absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "nope");
  }
}

TEST_F(ServerTest, InputsThatDoNotFitAreInvalid) {
  const Version counter = Make("counter");
  const Version picky = Make("picky");
  const Version conv = Make("conv_batchnorm");
  const struct {
    const char* what;
    StepRequest request;
    const char* message;
  } cases[] = {
      {"dtype",
       {.state = counter, .inputs = {{"x", Floats({}, {1})}}},
       "input \"x\" is float32 (); expected int32 ()"},
      {"rank",
       {.state = picky, .inputs = {{"x", Floats({1, 1}, {1})}}},
       "float32 (1, 1); expected float32 (n)"},
      {"dimension", {.state = conv, .inputs = {{"x", Floats({2}, {1, 2})}}}, "expected float32 (8, 1, 6, 6)"},
      {"missing", {.state = counter}, "input \"x\" of method \"step\" is missing"},
      {"unknown", {.state = counter, .inputs = {{"x", Int(1)}, {"z", Int(1)}}}, "has no input \"z\""},
      {"duplicate", {.state = counter, .inputs = {{"x", Int(1)}, {"x", Int(1)}}}, "is given twice"},
      {"output", {.state = counter, .inputs = {{"x", Int(1)}}, .output_names = {"q"}}, "has no output \"q\""},
      {"head of a version",
       {.state = counter, .inputs = {{"x", Int(1)}}, .expected_head = counter},
       "expected_head is given with a version"},
      {"no version", {.state = Version{0}}, "state.version is 0"},
  };
  for (const auto& [what, request, message] : cases) {
    SCOPED_TRACE(what);
    ExpectError(client_->Step(request).status(), absl::StatusCode::kInvalidArgument, "", message);
  }
}

TEST_F(ServerTest, MessagesThatHoldNoArrayAreInvalid) {
  const auto stub = v1::StateService::NewStub(Channel());
  const int64_t version = Make("picky").value;
  const auto step = [&](std::vector<int64_t> shape, size_t bytes, v1::DType dtype = v1::FLOAT32) {
    v1::StepRequest request;
    request.mutable_state()->set_version(version);
    v1::NamedArray& input = *request.add_inputs();
    input.set_name("x");
    input.mutable_array()->set_dtype(dtype);
    input.mutable_array()->mutable_shape()->Add(shape.begin(), shape.end());
    input.mutable_array()->set_data(std::string(bytes, '\2'));
    grpc::ClientContext context;
    v1::StepResponse reply;
    return stub->Step(&context, request, &reply);
  };
  EXPECT_TRUE(step({3}, 12).ok());
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const struct {
    grpc::Status status;
    const char* message;
  } cases[] = {
      {step({3}, 11), "11"},
      {step({3}, 13), "13"},
      {step({3}, 0), "12"},
      {step({}, 0), "4"},
      {step({-3}, 12), "-3"},
      {step({0, -1}, 0), "-1"},
      {step({kHuge}, 12), "9223372036854775807"},
      {step({kHuge, kHuge}, 12), "9223372036854775807"},
      {step({int64_t{1} << 32, int64_t{1} << 32}, 0), "4294967296"},
      {step(std::vector<int64_t>(33, 1), 4), "33"},
      {step({3}, 12, v1::DTYPE_UNSPECIFIED), "dtype is 0"},
      {step({3}, 12, static_cast<v1::DType>(77)), "dtype is 77"},
      {step({3}, 3, v1::BOOL), "bool"},
      {step({2}, 2, v1::BFLOAT16), "2"},
  };
  for (const auto& [status, message] : cases) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("input \"x\""));
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

TEST_F(ServerTest, MessagesOverTheLimitAreRefusedBothWays) {
  Make("picky", "limit");
  const int64_t head = client_->GetBranch("limit")->head();
  ExpectError(client_
                  ->Step({.state = BranchName{"limit"},
                          .inputs = {{"x", Floats({50000}, std::vector<float>(50000))}}})
                  .status(),
              absl::StatusCode::kResourceExhausted, "", "65536");
  EXPECT_EQ(client_->GetBranch("limit")->head(), head);
  const auto narrow =
      Client::Connect({.address = server_->address(), .max_reply_bytes = 10, .retry = {.max_attempts = 1}});
  ExpectError(narrow->GetBranch("limit").status(), absl::StatusCode::kResourceExhausted, "", "10");
}

// Calls `method` of StateService with bytes that need be no message.
grpc::Status CallWithBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer reply;
  grpc::ClientContext context;
  absl::Notification answered;
  grpc::Status status;
  stub.UnaryCall(&context, "/stepwell.v1." + method, {}, &request, &reply, [&](grpc::Status answer) {
    status = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  return status;
}

TEST_F(ServerTest, BytesThatAreNoMessageAreInvalid) {
  const std::string not_utf8 = "\xFF\xFE";
  v1::StepRequest request;
  request.mutable_state()->set_branch("live");
  request.set_method("ab");
  std::string bad_name = request.SerializeAsString();
  bad_name.replace(bad_name.find("ab"), 2, not_utf8);
  for (const std::string& bytes : {std::string("\xFF\xFF\xFF\xFF no protobuf"), std::string(100, '\xFF'),
                                   std::string("\x0A\xFF\x01"), bad_name}) {
    const grpc::Status status = CallWithBytes(Channel(), "StateService/Step", bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(),
              absl::StrCat("the ", bytes.size(), " bytes of the request are no stepwell.v1.StepRequest"));
  }
  for (const char* method :
       {"StateService/MakeState", "StateService/SetArrays", "StateService/GetArrays",
        "StateService/GetSnapshot", "StateService/DiffSnapshots", "ModelService/LoadModel",
        "ModelService/UnloadModel", "ModelService/GetModel", "ModelService/ListModels",
        "BranchService/CreateBranch", "BranchService/GetBranch"}) {
    const grpc::Status status = CallWithBytes(Channel(), method, "\xFF");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("the 1 bytes of the request are no stepwell.v1."))
        << method;
  }
}

TEST_F(ServerTest, NamesWithZeroBytesAreRefusedOrUnknown) {
  const Version root = Make("counter");
  const std::string name("counter\0x", 9);
  ExpectError(client_->MakeState({.model = name}).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "counter\\x00x");
  ExpectError(client_->LoadModel(name).status(), absl::StatusCode::kInvalidArgument, "", "counter\\x00x");
  ExpectError(client_->Step({.state = root, .method = name}).status(), absl::StatusCode::kNotFound,
              "METHOD_NOT_FOUND", "counter\\x00x");
  ExpectError(client_->Step({.state = root, .inputs = {{name, Int(1)}}}).status(),
              absl::StatusCode::kInvalidArgument, "", "counter\\x00x");
  ExpectError(client_->GetArrays({.state = root, .selectors = {{IndexPath{name}, {}}}}).status(),
              absl::StatusCode::kInvalidArgument, "", "counter\\x00x");
  ExpectError(client_->CreateBranch({.name = name, .state = root}).status(),
              absl::StatusCode::kInvalidArgument, "", "counter\\x00x");
  ExpectError(client_->GetBranch(name).status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
}

TEST_F(ServerTest, RequestsThatNameNoStateAreInvalid) {
  const auto stub = v1::StateService::NewStub(Channel());
  const auto step = [&](const v1::StepRequest& request) {
    grpc::ClientContext context;
    v1::StepResponse reply;
    return stub->Step(&context, request, &reply);
  };
  v1::StepRequest request;
  EXPECT_EQ(step(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(step(request).error_message(), HasSubstr("state is not set; expected a version or a branch"));
  request.mutable_state()->set_version(-7);
  EXPECT_EQ(step(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(step(request).error_message(), HasSubstr("state.version is -7"));
  request.mutable_state()->set_version(Make("counter").value);
  request.add_fetch();
  EXPECT_EQ(step(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(step(request).error_message(), HasSubstr("index is not set"));
  request.clear_fetch();
  request.set_durability(static_cast<v1::Durability>(9));
  EXPECT_EQ(step(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(step(request).error_message(), HasSubstr("durability is 9"));
}

TEST_F(ServerTest, SetArraysThatCannotBeMakesNothing) {
  const Version root = Make("conv_batchnorm", "set");
  const std::string index = "blocks[0].norm.batch_state_index[0]";
  const auto set = [&](std::vector<std::pair<client::Index, Array>> arrays) {
    return client_->SetArrays({.state = BranchName{"set"}, .arrays = std::move(arrays)}).status();
  };
  const Array right = Floats({4}, {1, 2, 3, 4});
  ExpectError(set({{IndexPath{index}, Int(1)}}), absl::StatusCode::kInvalidArgument, "",
              "is int32 (); expected float32 (4)");
  ExpectError(set({{IndexPath{index}, Floats({3}, {1, 2, 3})}}), absl::StatusCode::kInvalidArgument, "",
              "is float32 (3); expected float32 (4)");
  ExpectError(set({{IndexPath{index}, right}, {IndexPath{index}, right}}), absl::StatusCode::kInvalidArgument,
              "", "twice");
  ExpectError(set({{IndexPath{index}, right}, {IndexPath{"blocks[7]"}, right}}), absl::StatusCode::kNotFound,
              "INDEX_NOT_FOUND", "blocks[7]");
  ExpectError(set({{IndexPosition{99}, right}}), absl::StatusCode::kOutOfRange, "", "99");
  ExpectError(set({{IndexSubtree{"blocks[0]"}, right}}), absl::StatusCode::kInvalidArgument, "");
  ExpectError(client_
                  ->SetArrays({.state = BranchName{"set"},
                               .arrays = {{IndexPath{index}, right}},
                               .expected_head = Version{root.value + 1}})
                  .status(),
              absl::StatusCode::kAborted, "HEAD_MOVED");
  EXPECT_EQ(client_->GetBranch("set")->head(), root.value);
}

TEST_F(ServerTest, OffsetsPastTheEndAreOutOfRange) {
  const auto stub = v1::StateService::NewStub(Channel());
  const Version root = Make("counter");
  const auto read = [&](int64_t offset) {
    v1::ReadArraysRequest request;
    request.mutable_state()->set_version(root.value);
    request.set_byte_offset(offset);
    grpc::ClientContext context;
    const auto reader = stub->ReadArrays(&context, request);
    v1::ReadArraysResponse message;
    while (reader->Read(&message)) {
    }
    return reader->Finish();
  };
  EXPECT_TRUE(read(4).ok());
  for (const int64_t offset : {int64_t{5}, int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(read(offset).error_code(), grpc::StatusCode::OUT_OF_RANGE);
    EXPECT_THAT(read(offset).error_message(), HasSubstr(absl::StrCat("byte_offset is ", offset)));
  }
}

TEST_F(ServerTest, SlicesAndPositionsPastTheEndAreOutOfRange) {
  const Version root = Make("conv_batchnorm");
  const std::string index = "blocks[0].norm.batch_state_index[0]";
  const auto get = [&](ArraySelector selector) {
    return client_->GetArrays({.state = root, .selectors = {std::move(selector)}}).status();
  };
  ExpectError(get({IndexPosition{6}, {}}), absl::StatusCode::kOutOfRange, "", "6");
  ExpectError(get({IndexPosition{-1}, {}}), absl::StatusCode::kOutOfRange, "", "-1");
  ExpectError(get({IndexPath{index}, {{.stop = 5}}}), absl::StatusCode::kOutOfRange, "", "5");
  ExpectError(get({IndexPath{index}, {{.start = -5}}}), absl::StatusCode::kOutOfRange, "", "-5");
  ExpectError(get({IndexPath{index}, {{.step = 0}}}), absl::StatusCode::kInvalidArgument, "", "step");
  ExpectError(get({IndexPath{index}, {{}, {}}}), absl::StatusCode::kInvalidArgument, "");
}

TEST_F(ServerTest, MakeStateThatCannotBeMakesNothing) {
  Make("counter", "taken");
  const int64_t head = client_->GetBranch("taken")->head();
  ExpectError(client_->MakeState({.model = "counter", .branch = "taken"}).status(),
              absl::StatusCode::kAlreadyExists, "BRANCH_EXISTS", "taken");
  EXPECT_EQ(client_->GetBranch("taken")->head(), head);
  ExpectError(client_->MakeState({.model = "counter", .branch = "no spaces"}).status(),
              absl::StatusCode::kInvalidArgument, "", "no spaces");
  ExpectError(client_->MakeState({.model = "mixed", .rng_seed = 1}).status(),
              absl::StatusCode::kInvalidArgument, "", "log");
  ExpectError(client_->MakeState({.model = "mixed", .arrays = {{"log", Floats({0, 2}, {})}}}).status(),
              absl::StatusCode::kInvalidArgument, "", "key");
  ExpectError(
      client_->MakeState({.model = "counter", .arrays = {{"count", Int(1)}, {"count", Int(2)}}}).status(),
      absl::StatusCode::kInvalidArgument, "", "twice");
  ExpectError(client_->MakeState({.model = "counter", .durability = client::Durability::kSync}).status(),
              absl::StatusCode::kFailedPrecondition, "DURABILITY_UNAVAILABLE");
}

TEST_F(ServerTest, ModelThatFailsMintsNothingAndMovesNothing) {
  const Version root = Make("picky", "failing");
  const auto step = [](std::vector<float> x) {
    return client_->Step(
        {.state = BranchName{"failing"}, .inputs = {{"x", Floats({static_cast<int64_t>(x.size())}, x)}}});
  };
  ExpectError(step({1, 2}).status(), absl::StatusCode::kInternal, "", "method \"step\"");
  EXPECT_EQ(client_->GetBranch("failing")->head(), root.value);
  const auto after = step({1, 2, 3});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(client_->GetSnapshot(after->version)->parent(), root.value);
  EXPECT_EQ(after->outputs.at(0).second, Floats({3}, {1, 2, 3}));
}

}  // namespace
}  // namespace stepwell::testing
