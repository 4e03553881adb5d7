// A server that is told where to keep its state has it when it is started again, however it ended.
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "tests/e2e/cli_process.h"
#include "tests/e2e/disk_fixture.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using client::BranchMove;
using client::BranchName;
using client::Client;
using client::Durability;
using client::ErrorReason;
using client::Version;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DiskRestartTest : public DiskTest, public ::testing::WithParamInterface<End> {};

INSTANTIATE_TEST_SUITE_P(Of, DiskRestartTest, ::testing::Values(End::kStopped, End::kKilled), EndName);

TEST_P(DiskRestartTest, HistoriesAreAsTheyWereAndGoOn) {
  Start();
  const Version root = Make("live");
  const Version one = Add(BranchName{"live"}, 5).value();
  const Version two = Add(BranchName{"live"}, 2).value();
  const Version fork = Add(one, 10).value();
  const Version gone = Add(one, 11).value();
  ASSERT_TRUE(client_->DeleteSnapshots({.versions = {gone}, .durability = Durability::kSync}).ok());
  ASSERT_TRUE(client_
                  ->UpdateSnapshot({.version = one,
                                    .labels = client::Labels{{"quality", "good"}},
                                    .pinned = true,
                                    .durability = Durability::kSync})
                  .ok());
  Restart(GetParam());

  EXPECT_EQ(Count(BranchName{"live"}), 7);
  EXPECT_EQ(Count(root), 0);
  EXPECT_EQ(Count(fork), 15);
  EXPECT_THAT(History(BranchName{"live"}), ElementsAre(two.value, one.value, root.value));
  const auto snapshot = client_->GetSnapshot(one);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->labels().at("quality"), "good");
  EXPECT_TRUE(snapshot->pinned());
  EXPECT_TRUE(snapshot->durable());
  EXPECT_EQ(ErrorReason(client_->GetSnapshot(gone).status()), "SNAPSHOT_EVICTED");

  const auto next = Add(BranchName{"live"}, 1);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(next->value, gone.value) << "no version is used twice";
  EXPECT_EQ(Count(*next), 8);
  const auto other = Add(fork, 1);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_THAT(History(*other), ElementsAre(other->value, fork.value, one.value, root.value));
}

TEST_P(DiskRestartTest, BranchesAreAsTheyWere) {
  Start();
  const Version root = Make("live");
  Make("gone");
  ASSERT_TRUE(client_
                  ->CreateBranch({.name = "trial",
                                  .state = root,
                                  .labels = {{"why", "test"}},
                                  .retention = client::RetentionPolicy{.keep_last = 100},
                                  .durability = Durability::kSync})
                  .ok());
  ASSERT_TRUE(client_->DeleteBranch({.name = "gone", .durability = Durability::kSync}).ok());
  Restart(GetParam());

  const auto branches = client_->ListBranches({});
  ASSERT_TRUE(branches.ok()) << branches.status();
  ASSERT_EQ(branches->branches_size(), 2);
  EXPECT_EQ(branches->branches(0).name(), "live");
  const v1::Branch& trial = branches->branches(1);
  EXPECT_EQ(trial.name(), "trial");
  EXPECT_EQ(trial.head(), root.value);
  EXPECT_EQ(trial.labels().at("why"), "test");
  EXPECT_EQ(trial.retention().keep_last(), 100);
  EXPECT_EQ(ErrorReason(client_->CreateBranch({.name = "trial", .state = root}).status()), "BRANCH_EXISTS");
}

TEST_P(DiskRestartTest, RequestIsRemembered) {
  Start();
  Make("live");
  const Version one = Add(BranchName{"live"}, 5, "once").value();
  Restart(GetParam());
  EXPECT_EQ(Add(BranchName{"live"}, 5, "once").value(), one);
  EXPECT_EQ(Count(BranchName{"live"}), 5);
  EXPECT_EQ(ErrorReason(Add(BranchName{"live"}, 6, "once").status()), "REQUEST_ID_REUSED");
}

TEST_P(DiskRestartTest, BatchIsRemembered) {
  Start();
  const Version root = Make("live");
  const auto step = [&](int32_t x) {
    return client_->BatchStep({.steps = {{.state = root, .inputs = {{"x", Array::Scalar<int32_t>(x)}}},
                                         {.state = root, .inputs = {}}},  // Fails, and is not remembered.
                               .request_id = "batch",
                               .durability = Durability::kSync});
  };
  const auto first = step(5);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->results[0].ok()) << first->results[0].status();
  ASSERT_FALSE(first->results[1].ok());
  Restart(GetParam());
  const absl::Status other = step(7).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument) << other;
  EXPECT_EQ(ErrorReason(other), "REQUEST_ID_REUSED");
  const auto again = step(5);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(again->results[0].ok()) << again->results[0].status();
  EXPECT_EQ(again->results[0]->version, first->results[0]->version);
}

TEST_P(DiskRestartTest, BranchCanBeWatched) {
  Start();
  Make("live");
  Restart(GetParam());
  const auto watch = client_->WatchBranches({.branches = BranchName{"live"}});
  ASSERT_TRUE(watch.ok()) << watch.status();
  const Version one = Add(BranchName{"live"}, 5).value();
  const auto event = (*watch)->Next();
  ASSERT_TRUE(event.ok()) << event.status();
  ASSERT_TRUE(std::holds_alternative<BranchMove>(*event));
  EXPECT_EQ(std::get<BranchMove>(*event).head, one);
}

TEST_F(DiskTest, SyncByDefaultSurvivesAKill) {
  Start({"--durability", "SYNC"});
  ASSERT_TRUE(client_->MakeState({.model = "counter", .branch = "live"}).ok());
  const auto stepped =
      client_->Step({.state = BranchName{"live"}, .inputs = {{"x", Array::Scalar<int32_t>(5)}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_TRUE(client_->GetSnapshot(stepped->version)->durable());
  Restart(End::kKilled);
  EXPECT_EQ(Count(BranchName{"live"}), 5);
}

TEST_F(DiskTest, AsyncSnapshotBecomesDurable) {
  Start();
  const auto made = client_->MakeState({.model = "counter", .durability = Durability::kAsync});
  ASSERT_TRUE(made.ok()) << made.status();
  bool durable = false;
  while (!durable) {
    const auto snapshot = client_->GetSnapshot(Version{made->snapshot().version()});
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    durable = snapshot->durable();
  }
}

TEST_F(DiskTest, BackupOfABusyServerIsAServerOfItsOwn) {
  Start({"--backup-dir", (folder_ / "backups").string()});
  const Version root = Make("live");
  const Version one = Add(BranchName{"live"}, 5, "once").value();
  const auto backup = client_->CreateBackup("first");
  ASSERT_TRUE(backup.ok()) << backup.status();
  EXPECT_EQ(backup->name(), "first");
  EXPECT_EQ(fs::path(backup->path()), folder_ / "backups/first");
  EXPECT_GT(backup->byte_count(), 0);
  EXPECT_EQ(backup->newest_version(), one.value);
  EXPECT_EQ(ErrorReason(client_->CreateBackup("first").status()), "BACKUP_EXISTS");
  ASSERT_TRUE(Add(BranchName{"live"}, 2).ok()) << "the server goes on";
  const auto named_by_time = client_->CreateBackup("");
  ASSERT_TRUE(named_by_time.ok()) << named_by_time.status();
  EXPECT_THAT(named_by_time->name(), ::testing::MatchesRegex("[0-9]{8}T[0-9]{6}Z"));

  const ServerProcess restored(models(), {"--data-dir", backup->path()});
  client_ = Client::Connect({.address = restored.address(), .retry = {.max_attempts = 1}});
  EXPECT_EQ(Count(BranchName{"live"}), 5);
  EXPECT_THAT(History(BranchName{"live"}), ElementsAre(one.value, root.value));
  EXPECT_EQ(Add(BranchName{"live"}, 5, "once").value(), one) << "what was remembered is";
  EXPECT_EQ(Count(Add(BranchName{"live"}, 1).value()), 6);
  client_ = Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
  EXPECT_EQ(Count(BranchName{"live"}), 7);
}

TEST_F(DiskTest, BackupsNameIsNoPath) {
  Start({"--backup-dir", (folder_ / "backups").string()});
  for (const char* name : {"..", ".hidden", "a/b", "/tmp/x", "-", "a b"}) {
    const absl::Status refused = client_->CreateBackup(name).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << name << refused;
  }
  EXPECT_FALSE(fs::exists(folder_ / "backups"));
}

TEST_F(DiskTest, ServerWithoutAFolderForBackupsSaysWhichFlagGivesIt) {
  Start();
  const absl::Status refused = client_->CreateBackup("first").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(refused), "BACKUP_UNAVAILABLE");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--backup-dir"));
}

TEST_F(DiskTest, FolderForBackupsWithoutADataDirectoryIsRefused) {
  const Finished refused =
      RunProgram({STEPWELLD, "--models", models().string(), "--backup-dir", "b", "--in-memory"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("expected none with in_memory"));
}

TEST_F(DiskTest, SecondServerOnTheSameDirectoryIsRefused) {
  Start();
  const Finished second =
      RunProgram({STEPWELLD, "--models", models().string(), "--listen", "127.0.0.1:0", "--data-dir", data()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr(data()));
  EXPECT_THAT(second.err, HasSubstr("in use"));
  EXPECT_EQ(second.out, "") << "it never listened";
  Make("live");
}

TEST_F(DiskTest, VerifyTellsAWholeStoreFromADamagedOneAndFromOneInUse) {
  Start();
  Make("live");
  ASSERT_TRUE(Add(BranchName{"live"}, 5).ok());
  const std::vector<std::string> verify = {STEPWELLD, "--verify", "--data-dir", data()};
  const Finished in_use = RunProgram(verify);
  EXPECT_EQ(in_use.exit_code, 2);
  EXPECT_THAT(in_use.err, HasSubstr("in use"));
  client_.reset();
  server_.reset();

  const Finished whole = RunProgram(verify);
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("no problems"));
  std::vector<std::string> as_json = verify;
  as_json.push_back("--json");
  const Finished json = RunProgram(as_json);
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_THAT(json.out, HasSubstr(R"({"what":"snapshots","number":2,"problems":0})"));
  EXPECT_THAT(json.out, HasSubstr(R"("problems":[]})"));

  for (const auto& entry : fs::directory_iterator(data())) {
    if (entry.path().extension() == ".log") fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
  }
  const Finished damaged = RunProgram(verify);
  EXPECT_EQ(damaged.exit_code, 1) << damaged.out << damaged.err;
  EXPECT_THAT(damaged.out, HasSubstr("problem: its file \"" + data()));
}

TEST_F(DiskTest, DirectoryThatCannotBeMadeIsRefused) {
  const fs::path file = folder_ / "file";
  std::ofstream(file) << "not a directory";
  const Finished refused = RunProgram({STEPWELLD, "--models", models().string(), "--listen", "127.0.0.1:0",
                                       "--data-dir", (file / "data").string()});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr((file / "data").string()));
  EXPECT_EQ(refused.out, "");
}

}  // namespace
}  // namespace stepwell::testing
