// What a client sees of a server that is asked for what it can do; bad_request_test.cc and
// bad_package_test.cc have the rest.
#include <thread>

#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Client;
using client::ErrorMetadata;
using client::IndexPath;
using client::IndexPosition;
using client::IndexSubtree;
using client::Version;

namespace fs = std::filesystem;

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

TEST(ServerProcessTest, DropsWhatItsConfigurationDoesNotKeep) {
  ServerProcess server(STEPWELL_SOURCE_DIR "/tests/data/equinox",
                       {"--retention-keep-last", "2", "--retention-keep-every", "3",
                        "--retention-min-age-seconds", "0", "--retention-pause-seconds", "0.01"});
  const auto client = Client::Connect({.address = server.address(), .retry = {.max_attempts = 1}});
  const auto made = client->MakeState({.model = "counter", .branch = "live"});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<int64_t> line = {made->snapshot().version()};
  for (int i = 0; i < 7; ++i) {
    const auto stepped = client->Step({.state = BranchName{"live"}, .inputs = {{"x", Int(1)}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    line.push_back(stepped->version.value);
  }
  for (const size_t dropped : {1, 2, 4, 5}) {
    absl::Status status;
    while (status.ok()) status = client->GetSnapshot(Version{line[dropped]}).status();
    ExpectError(status, absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  }
  std::vector<int64_t> left;
  const auto listed = client->ListSnapshots({.of = BranchName{"live"}});
  ASSERT_TRUE(listed.ok()) << listed.status();
  for (const v1::Snapshot& snapshot : listed->snapshots()) left.push_back(snapshot.version());
  EXPECT_EQ(left, (std::vector<int64_t>{line[7], line[6], line[3], line[0]}));
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
