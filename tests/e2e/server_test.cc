// What a client sees of a server: the happy paths, and every bad input with its code and reason.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

using client::ArraySelector;
using client::BranchName;
using client::Client;
using client::ErrorMetadata;
using client::ErrorReason;
using client::IndexPath;
using client::IndexPosition;
using client::IndexSubtree;
using client::StepRequest;
using client::Version;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason,
                 const std::string& what = "") {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

Array Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Array::From<float>(dims, values).value();
}
Array Int(int32_t value) { return Array::Scalar<int32_t>(value); }

// A repository of its own: good models beside bad ones.
class ServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    repository_ = fs::path(::testing::TempDir()) / absl::StrCat("models_", getpid());
    const fs::path data = STEPWELL_SOURCE_DIR "/tests/data";
    fs::create_directories(repository_);
    for (const char* model : {"equinox/counter", "equinox/conv_batchnorm", "models/picky", "models/mixed"}) {
      fs::copy(data / model, repository_ / fs::path(model).filename());
    }
    fs::copy(data / "equinox/counter", repository_ / "truncated");
    fs::resize_file(repository_ / "truncated/step.onnx", 100);
    AddBad("unknown_field",
           "state { index: \"count\" dtype: INT32 colour: \"red\" }\nmethod { name: \"step\" }");
    AddBad("many_faults",
           "state { index: \"count\" dtype: INT32 }\nstate { index: \"count\" dtype: INT32 }\n"
           "state { index: \"big\" dtype: FLOAT32 shape: [4] }\n"
           "method { name: \"step\" reads { index: \"count\" }\n"
           "  writes { index: \"nowhere\" output: \"count.next\" }\n"
           "  writes { index: \"count\" output: \"y\" } writes { index: \"count\" }\n"
           "  writes { index: \"big\" output: \"y\" } }");
    server_ = new ServerProcess(repository_, {"--config", WriteConfig()});
    client_ = Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
  }
  static void TearDownTestSuite() {
    client_.reset();
    delete server_;
    fs::remove_all(repository_);
  }

  static void AddBad(const std::string& name, const std::string& text) {
    fs::create_directories(repository_ / name);
    fs::copy(STEPWELL_SOURCE_DIR "/tests/data/equinox/counter/step.onnx", repository_ / name / "step.onnx");
    std::ofstream(repository_ / name / "model.textproto") << text;
  }
  static std::string WriteConfig() {
    const fs::path path = repository_ / ".stepwelld.textproto";
    std::ofstream(path) << "max_message_bytes: 65536 grace_period_seconds: 20\n";
    return path.string();
  }

  static Version Make(const std::string& model, std::optional<std::string> branch = std::nullopt) {
    const auto made = client_->MakeState({.model = model, .branch = std::move(branch)});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? Version{made->snapshot().version()} : Version{};
  }
  static absl::StatusOr<int32_t> Count(const client::StateRef& state) {
    const auto arrays = client_->GetArrays({.state = state, .selectors = {{IndexPath{"count"}, {}}}});
    if (!arrays.ok()) return arrays.status();
    return arrays->arrays.at(0).second.As<int32_t>().value()[0];
  }

  static inline fs::path repository_;
  static inline ServerProcess* server_ = nullptr;
  static inline std::unique_ptr<Client> client_;
};

TEST_F(ServerTest, StepLeavesTheVersionThatItReads) {
  const Version root = Make("counter");
  const auto one = client_->Step({.state = root, .inputs = {{"x", Int(5)}}});
  ASSERT_TRUE(one.ok()) << one.status();
  const auto fork = client_->Step({.state = root, .inputs = {{"x", Int(7)}}, .labels = {{"why", "fork"}}});
  ASSERT_TRUE(fork.ok()) << fork.status();
  EXPECT_EQ(Count(root).value(), 0);
  EXPECT_EQ(Count(one->version).value(), 5);
  EXPECT_EQ(Count(fork->version).value(), 7);
  const auto snapshot = client_->GetSnapshot(fork->version);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->parent(), root.value);
  EXPECT_EQ(snapshot->method(), "step");
  EXPECT_EQ(snapshot->model(), "counter");
  EXPECT_EQ(snapshot->step_count(), 1);
  EXPECT_EQ(snapshot->labels().at("why"), "fork");
  EXPECT_FALSE(snapshot->durable());
}

TEST_F(ServerTest, StepOnABranchMovesItsHead) {
  const Version root = Make("counter", "moves");
  const auto stepped =
      client_->Step({.state = BranchName{"moves"}, .inputs = {{"x", Int(2)}}, .expected_head = root});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(client_->GetBranch("moves")->head(), stepped->version.value);
  const absl::Status moved =
      client_->Step({.state = BranchName{"moves"}, .inputs = {{"x", Int(2)}}, .expected_head = root})
          .status();
  ExpectError(moved, absl::StatusCode::kAborted, "HEAD_MOVED");
  EXPECT_EQ(ErrorMetadata(moved, "current_head"), absl::StrCat(stepped->version.value));
  EXPECT_EQ(Count(BranchName{"moves"}).value(), 2);
}

TEST_F(ServerTest, StepsOnOneBranchFollowEachOther) {
  Make("counter", "busy");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int step = 0; step < 25; ++step) {
        const auto stepped = client_->Step({.state = BranchName{"busy"}, .inputs = {{"x", Int(1)}}});
        EXPECT_TRUE(stepped.ok()) << stepped.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count(BranchName{"busy"}).value(), 100);
  EXPECT_EQ(client_->GetSnapshot(BranchName{"busy"})->step_count(), 100);
}

TEST_F(ServerTest, KeepFalseMakesNothing) {
  const Version root = Make("counter", "dry");
  const auto stepped = client_->Step({.state = BranchName{"dry"},
                                      .inputs = {{"x", Int(3)}},
                                      .fetch = {{IndexPosition{0}, {}}},
                                      .keep = false});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(stepped->version, root);
  EXPECT_EQ(stepped->fetched.at(0).second.As<int32_t>().value()[0], 3);
  EXPECT_EQ(client_->GetBranch("dry")->head(), root.value);
}

TEST_F(ServerTest, SetArraysReplacesSomeAndSharesTheRest) {
  const Version root = Make("conv_batchnorm");
  const auto set = client_->SetArrays(
      {.state = root,
       .arrays = {{IndexPath{"blocks[1].norm.batch_state_index[0]"}, Floats({4}, {1, 2, 3, 4})}}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->new_bytes(), 16);
  EXPECT_EQ(set->parent(), root.value);
  const auto read =
      client_->GetArrays({.state = Version{set->version()},
                          .selectors = {{IndexPath{"blocks[1].norm.batch_state_index[0]"}, {{.start = -2}}},
                                        {IndexSubtree{"blocks[0].norm"}, {}}}});
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->arrays.size(), 4u);
  EXPECT_EQ(read->arrays[0].second, Floats({2}, {3, 4}));
  EXPECT_EQ(read->arrays[1].first, "blocks[0].norm.batch_counter");
}

TEST_F(ServerTest, ReadArraysStreamsWhatGetArraysCannotHold) {
  std::vector<float> values(100000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  // Built from steps, each of which fits a message.
  const auto made =
      client_->MakeState({.model = "mixed", .arrays = {{"log", Floats({0, 2}, {})}}, .rng_seed = 1});
  ASSERT_TRUE(made.ok()) << made.status();
  Version version{made->snapshot().version()};
  for (size_t at = 0; at < values.size(); at += 10000) {
    const std::vector<float> part(values.begin() + static_cast<ptrdiff_t>(at),
                                  values.begin() + static_cast<ptrdiff_t>(at + 10000));
    const auto stepped = client_->Step({.state = version, .inputs = {{"x", Floats({5000, 2}, part)}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    version = stepped->version;
  }
  ExpectError(client_->GetArrays({.state = version}).status(), absl::StatusCode::kResourceExhausted,
              "REPLY_TOO_LARGE", "ReadArrays");
  const auto read = client_->ReadArrays({.state = version});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->arrays.at(0).second, Floats({50000, 2}, values));
  EXPECT_EQ(read->arrays.at(1).first, "key");
  // A step whose reply does not fit has not happened.
  ExpectError(client_
                  ->Step({.state = version,
                          .inputs = {{"x", Floats({1, 2}, {0, 0})}},
                          .fetch = {{IndexPath{"log"}, {}}}})
                  .status(),
              absl::StatusCode::kResourceExhausted, "REPLY_TOO_LARGE");
}

TEST_F(ServerTest, RngKeyIsTheSeedsHalves) {
  const auto made = client_->MakeState({.model = "mixed",
                                        .arrays = {{"log", Floats({0, 2}, {})}},
                                        .rng_seed = (uint64_t{0xdeadbeef} << 32) | 42});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto key = client_->GetArrays(
      {.state = Version{made->snapshot().version()}, .selectors = {{IndexPath{"key"}, {}}}});
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->arrays[0].second.As<uint32_t>().value()[0], 0xdeadbeefu);
  EXPECT_EQ(key->arrays[0].second.As<uint32_t>().value()[1], 42u);
}

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
  ExpectError(client_->GetBranch("nope").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
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
  const auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  const auto stub = v1::StateService::NewStub(channel);
  const int64_t version = Make("picky").value;
  const auto step = [&](std::vector<int64_t> shape, size_t bytes, v1::DType dtype = v1::FLOAT32) {
    v1::StepRequest request;
    request.mutable_state()->set_version(version);
    v1::NamedArray& input = *request.add_inputs();
    input.set_name("x");
    input.mutable_array()->set_dtype(dtype);
    input.mutable_array()->mutable_shape()->Add(shape.begin(), shape.end());
    input.mutable_array()->set_data(std::string(bytes, '\0'));
    grpc::ClientContext context;
    v1::StepResponse reply;
    return stub->Step(&context, request, &reply);
  };
  EXPECT_TRUE(step({3}, 12).ok());
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  for (const grpc::Status& status :
       {step({3}, 11), step({3}, 13), step({3}, 0), step({-3}, 12), step({kHuge}, 12),
        step({kHuge, kHuge}, 12), step({int64_t{1} << 32, int64_t{1} << 32}, 0),
        step({3}, 12, v1::DTYPE_UNSPECIFIED), step({3}, 12, static_cast<v1::DType>(77)),
        step({2}, 2, v1::BFLOAT16)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("input \"x\""));
  }
  EXPECT_EQ(step({50000}, 200000).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);  // Over the message limit.
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
  ExpectError(client_->MakeState({.model = "counter", .request_id = "a"}).status(),
              absl::StatusCode::kUnimplemented, "");
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

TEST_F(ServerTest, BadPackagesAreListedWithAllThatIsWrong) {
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  std::map<std::string, v1::ModelInfo> by_name;
  for (const v1::ModelInfo& model : *models) by_name[model.name()] = model;
  EXPECT_EQ(by_name["counter"].state(), v1::ModelInfo::READY);
  EXPECT_EQ(by_name["truncated"].state(), v1::ModelInfo::FAILED);
  EXPECT_THAT(by_name["truncated"].error(), HasSubstr("step.onnx"));
  EXPECT_THAT(by_name["unknown_field"].error(), HasSubstr("model.textproto:1:"));
  EXPECT_THAT(by_name["unknown_field"].error(), HasSubstr("colour"));
  const std::string& faults = by_name["many_faults"].error();
  EXPECT_THAT(faults, HasSubstr("declared already"));
  EXPECT_THAT(faults, HasSubstr("writes \"nowhere\", which is not in the state spec"));
  EXPECT_THAT(faults, HasSubstr("written twice"));
  EXPECT_THAT(faults, HasSubstr("writes \"big\", float32 (4)"));
  ExpectError(client_->MakeState({.model = "truncated"}).status(), absl::StatusCode::kFailedPrecondition,
              "MODEL_NOT_READY");
  ExpectError(client_->LoadModel("truncated").status(), absl::StatusCode::kFailedPrecondition,
              "MODEL_INVALID");
  ExpectError(client_->LoadModel("../escape").status(), absl::StatusCode::kInvalidArgument, "");
}

TEST_F(ServerTest, UnloadedModelKeepsItsStates) {
  fs::copy(repository_ / "counter", repository_ / "leaving");
  ASSERT_TRUE(client_->LoadModel("leaving").ok());
  const Version root = Make("leaving");
  ASSERT_TRUE(client_->UnloadModel("leaving").ok());
  EXPECT_EQ(Count(root).value(), 0);
  ExpectError(client_->Step({.state = root, .inputs = {{"x", Int(1)}}}).status(), absl::StatusCode::kNotFound,
              "MODEL_NOT_FOUND");
  const auto again = client_->LoadModel("leaving");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision(), 1);
  EXPECT_TRUE(client_->Step({.state = root, .inputs = {{"x", Int(1)}}}).ok());
}

TEST_F(ServerTest, LaterRpcsAreUnimplemented) {
  const auto stub =
      v1::StateService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ScanResponse reply;
  EXPECT_EQ(stub->Scan(&context, v1::ScanRequest(), &reply).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(ServerProcessTest, StopsCleanlyAndThenNobodyAnswers) {
  ServerProcess server(STEPWELL_SOURCE_DIR "/tests/data/equinox");
  const auto client = Client::Connect({.address = server.address(), .retry = {.max_attempts = 1}});
  ASSERT_TRUE(client->ListModels().ok());
  EXPECT_EQ(server.Stop(), 0);
  EXPECT_EQ(client->ListModels().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace stepwell::testing
