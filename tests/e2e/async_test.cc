// The asynchronous client against the real server: many steps outstanding, every one answered once.
#include <atomic>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "stepwell/client/async_client.h"
#include "stepwell/client/client.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

using client::AsyncClient;
using client::BranchName;
using client::Client;
using client::StepResult;
using client::Version;

constexpr int kOutstanding = 64;
constexpr int kSteps = 2048;

class AsyncTest : public ::testing::Test {
 protected:
  Version Make(std::optional<std::string> branch = std::nullopt) {
    const auto made = blocking_->MakeState({.model = "counter", .branch = std::move(branch)});
    EXPECT_TRUE(made.ok()) << made.status();
    return Version{made.ok() ? made->snapshot().version() : 0};
  }

  ServerProcess server_{STEPWELL_SOURCE_DIR "/tests/data/equinox"};
  std::unique_ptr<Client> blocking_ = Client::Connect({.address = server_.address()});
  std::unique_ptr<AsyncClient> client_ = AsyncClient::Connect({.address = server_.address()});
};

// Keeps kOutstanding steps on one state outstanding until kSteps are answered.
class Load {
 public:
  Load(AsyncClient* client, client::StateRef state) : client_(client), state_(std::move(state)) {}

  void Run() {
    for (int i = 0; i < kOutstanding; ++i) StepOnce();
    answered_.Wait();
  }
  // Of every step, and what it returned.
  const std::multiset<int64_t>& versions() const { return versions_; }
  const std::multiset<int32_t>& outputs() const { return outputs_; }

 private:
  void StepOnce() {
    if (started_.fetch_add(1) >= kSteps) return;
    client_->Step({.state = state_, .inputs = {{"x", Array::Scalar<int32_t>(1)}}},
                  [this](absl::StatusOr<StepResult> result) {
                    EXPECT_TRUE(result.ok()) << result.status();
                    if (result.ok()) {
                      absl::MutexLock lock(&mutex_);
                      versions_.insert(result->version.value);
                      outputs_.insert(result->outputs.at(0).second.As<int32_t>().value()[0]);
                    }
                    StepOnce();
                    answered_.DecrementCount();
                  });
  }

  AsyncClient* const client_;
  const client::StateRef state_;
  std::atomic<int> started_ = 0;
  absl::BlockingCounter answered_{kSteps};
  absl::Mutex mutex_;
  std::multiset<int64_t> versions_;
  std::multiset<int32_t> outputs_;
};

TEST_F(AsyncTest, StepsOnAVersionAllForkIt) {
  const Version root = Make();
  Load load(client_.get(), root);
  load.Run();
  ASSERT_EQ(load.versions().size(), size_t{kSteps});
  EXPECT_EQ(std::set<int64_t>(load.versions().begin(), load.versions().end()).size(), size_t{kSteps});
  EXPECT_EQ(load.outputs().count(1), size_t{kSteps});
}

TEST_F(AsyncTest, StepsOnABranchFollowEachOther) {
  Make("line");
  Load load(client_.get(), BranchName{"line"});
  load.Run();
  const auto head = blocking_->GetSnapshot(BranchName{"line"});
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->step_count(), kSteps);
  // Each step saw what the one before it had made.
  int32_t next = 1;
  for (const int32_t output : load.outputs()) EXPECT_EQ(output, next++);
}

TEST_F(AsyncTest, ErrorsCarryTheirReason) {
  absl::Notification told;
  absl::Status status;
  client_->Step({.state = BranchName{"nope"}}, [&](const absl::StatusOr<StepResult>& result) {
    status = result.status();
    told.Notify();
  });
  told.WaitForNotification();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(client::ErrorReason(status), "BRANCH_NOT_FOUND");
}

TEST_F(AsyncTest, DiffSnapshotsIsTheBlockingOne) {
  const Version root = Make();
  const auto stepped = blocking_->Step({.state = root, .inputs = {{"x", Array::Scalar<int32_t>(3)}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  absl::Notification told;
  absl::StatusOr<v1::DiffSnapshotsResponse> diff;
  client_->DiffSnapshots({.from = root, .to = stepped->version},
                         [&](absl::StatusOr<v1::DiffSnapshotsResponse> result) {
                           diff = std::move(result);
                           told.Notify();
                         });
  told.WaitForNotification();
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(diff->arrays(0).max_abs_difference(), 3);
  const auto blocking = blocking_->DiffSnapshots({.from = root, .to = stepped->version});
  EXPECT_EQ(diff->SerializeAsString(), blocking->SerializeAsString());
}

TEST_F(AsyncTest, ReadArraysIsWhatGetArraysIs) {
  const auto made = blocking_->MakeState({.model = "conv_batchnorm"});
  ASSERT_TRUE(made.ok()) << made.status();
  const Version version{made->snapshot().version()};
  absl::Notification told;
  absl::StatusOr<client::GetArraysResult> read;
  client_->ReadArrays({.state = version}, [&](absl::StatusOr<client::GetArraysResult> result) {
    read = std::move(result);
    told.Notify();
  });
  told.WaitForNotification();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->version, version);
  EXPECT_EQ(read->arrays, blocking_->GetArrays({.state = version})->arrays);
}

}  // namespace
}  // namespace stepwell::testing
