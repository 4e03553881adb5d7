#include "stepwell/storage/committer.h"

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;

class NamedWork final : public CommitterWork {
 public:
  NamedWork(std::string name, std::function<absl::Status()> add)
      : name_(std::move(name)), add_(std::move(add)) {}

  absl::Status AddTo(rocksdb::WriteBatch& batch) override {
    const absl::Status added = add_ == nullptr ? absl::OkStatus() : add_();
    if (added.ok()) batch.Put(name_, "written");
    return added;
  }
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  const std::function<absl::Status()> add_;
};

// What became of works, as "NAME written", "NAME synced" and "NAME REASON".
class Told final : public Committer::Observer {
 public:
  void OnWritten(Committer::Works works) override { Tell(works, "written"); }
  void OnSettled(Committer::Works works, const absl::Status& how) override {
    if (how.ok()) return Tell(works, "synced");
    Tell(works, GetErrorInfo(how).reason.empty() ? how.message() : GetErrorInfo(how).reason);
  }
  void AfterSettled(Committer::Works works, const absl::Status& how) override {
    for (const auto& work : works) {
      settled.push_back(absl::StrCat(static_cast<const NamedWork&>(*work).name(), how.ok() ? "" : " failed"));
    }
  }

  std::vector<std::string> told;     // On the committer's thread,
  std::vector<std::string> settled;  // and on the other.

 private:
  void Tell(Committer::Works works, absl::string_view what) {
    for (const auto& work : works) {
      told.push_back(absl::StrCat(static_cast<const NamedWork&>(*work).name(), " ", what));
    }
  }
};

class CommitterTest : public ::testing::Test {
 protected:
  CommitterTest() {
    // What a test pushes meanwhile waits behind this, and is taken as one.
    auto first = std::make_unique<NamedWork>("first", [this] {
      started_.Notify();
      all_pushed_.WaitForNotification();
      return absl::OkStatus();
    });
    committer_->Push(std::move(first));
    started_.WaitForNotification();
  }

  NamedWork& Push(const std::string& name, std::function<absl::Status()> add = nullptr) {
    auto work = std::make_unique<NamedWork>(name, std::move(add));
    NamedWork& pushed = *work;
    pushed_.push_back(std::move(work));
    return pushed;
  }

  void Finish() {
    for (auto& work : pushed_) committer_->Push(std::move(work));
    all_pushed_.Notify();
    committer_.reset();
  }

  bool IsWritten(const std::string& name) const {
    std::string value;
    return database_->db().Get(rocksdb::ReadOptions(), name, &value).ok();
  }

  testing::TemporaryDirectory directory_;
  const std::unique_ptr<RocksDbDatabase> database_ =
      RocksDbDatabase::Open(directory_.path(), rocksdb::Env::Default()).value();
  Told told_;
  absl::Notification started_;
  absl::Notification all_pushed_;
  std::vector<std::unique_ptr<CommitterWork>> pushed_;
  std::unique_ptr<Committer> committer_ =
      std::make_unique<Committer>(CommitterOptions{.sync_interval = absl::Hours(1)}, database_.get(), &told_);
};

TEST_F(CommitterTest, WritesWhatWaitsInOrderAndSyncsBeforeItEnds) {
  Push("a");
  Push("b");
  Finish();
  EXPECT_THAT(told_.told,
              ElementsAre("first written", "a written", "b written", "first synced", "a synced", "b synced"));
  EXPECT_THAT(told_.settled, ElementsAre("first", "a", "b"));
  EXPECT_TRUE(IsWritten("a") && IsWritten("b"));
}

// Gathers for longer than a test takes.
class CommitterGatherTest : public ::testing::Test {
 protected:
  std::unique_ptr<NamedWork> MakeWatched() {
    return std::make_unique<NamedWork>("watched", [this] {
      added_.Notify();
      return absl::OkStatus();
    });
  }
  // Whether the watched work was added to a batch; waits for it.
  bool IsTaken() const { return added_.WaitForNotificationWithTimeout(absl::Minutes(1)); }

  testing::TemporaryDirectory directory_;
  const std::unique_ptr<RocksDbDatabase> database_ =
      RocksDbDatabase::Open(directory_.path(), rocksdb::Env::Default()).value();
  Told told_;
  absl::Notification added_;
  Committer committer_{
      {.gather_time = absl::Hours(1), .sync_interval = absl::Hours(1)}, database_.get(), &told_};
};

TEST_F(CommitterGatherTest, WorkThatNobodyWaitsForIsWrittenWithTheNextThatSomebodyDoes) {
  for (const char* name : {"a", "b"}) committer_.Push(std::make_unique<NamedWork>(name, nullptr));
  auto awaited = MakeWatched();
  awaited->awaited = true;
  committer_.Push(std::move(awaited));
  EXPECT_TRUE(IsTaken());
}

TEST_F(CommitterGatherTest, WorkThatNobodyWaitsForIsWrittenWhenItIsALot) {
  auto large = MakeWatched();
  large->bytes = 8 << 20;
  committer_.Push(std::move(large));
  EXPECT_TRUE(IsTaken());
}

TEST_F(CommitterTest, WorkThatReadsFindsWhatComesBeforeIt) {
  Push("before");
  bool found = false;
  Push("reader", [&] {
    found = IsWritten("before");
    return absl::OkStatus();
  }).reads_database = true;
  Push("after");
  Finish();
  EXPECT_TRUE(found);
  EXPECT_TRUE(IsWritten("after"));
}

TEST_F(CommitterTest, WorkThatMayFailFailsAlone) {
  Push("failing", [] { return absl::DataLossError("broken"); }).may_fail = true;
  Push("after");
  Finish();
  EXPECT_THAT(told_.told, ElementsAre("first written", "failing broken", "after written", "first synced",
                                      "after synced"));
  EXPECT_THAT(told_.settled, ElementsAre("failing failed", "first", "after"));
}

// It was promised already, and what follows may build on it.
TEST_F(CommitterTest, WorkThatMayNotFailFailsAllThatIsNotSynced) {
  Push("before");
  Push("failing", [] { return absl::DataLossError("broken"); });
  Push("after");
  Finish();
  EXPECT_THAT(told_.told, ElementsAre("first written", "before written", "first STORE_WRITE_FAILED",
                                      "before STORE_WRITE_FAILED", "failing STORE_WRITE_FAILED",
                                      "after STORE_WRITE_FAILED"));
  EXPECT_FALSE(IsWritten("after"));
}

}  // namespace
}  // namespace stepwell
