// Retention beside everything else that an engine does.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/fault_report.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;

class AdvancedClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000);
};

class EngineRetentionTest : public ::testing::Test {
 protected:
  static constexpr char kData[] = STEPWELL_SOURCE_DIR "/tests/data/equinox";

  // Steps a counter by 1.
  static absl::StatusOr<Version> AddOne(Engine& engine, StateRef state) {
    const auto stepped = Await(engine, &Engine::Step,
                               {.state = std::move(state), .inputs = {{"x", Array::Scalar<int32_t>(1)}}});
    if (!stepped.ok()) return stepped.status();
    return stepped->snapshot->version();
  }
  static absl::StatusOr<int32_t> CountOf(Engine& engine, Version version) {
    const auto read = Await(engine, &Engine::GetArrays, {.state = version});
    if (!read.ok()) return read.status();
    return read->arrays.at(0).second.As<int32_t>().value()[0];
  }
  static void RunSweep(Engine& engine) {
    absl::StatusOr<absl::Duration> pause;
    do {
      pause = engine.Retain();
      ASSERT_TRUE(pause.ok()) << pause.status();
    } while (*pause < RetentionOptions().pause);
  }
  static std::vector<Version> Ancestors(Engine& engine, const std::string& branch) {
    std::vector<Version> versions;
    const auto listed =
        Await(engine, &Engine::ListSnapshots, {.of = StateRef(BranchName{branch}), .limit = 100'000});
    for (const SnapshotInfo& info : listed->snapshots) versions.push_back(info.record->version);
    return versions;
  }
};

TEST_F(EngineRetentionTest, PackageSaysWhatIsKeptElseTheEngineDoes) {
  const testing::TempFolder folder;
  for (const char* name : {"plain", "own", "unloaded"}) {
    std::filesystem::copy(absl::StrCat(kData, "/counter"), folder.path() / name);
    std::string text = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";
    if (std::string(name) == "own") text += "retention { keep_last: 3 }\n";
    folder.Write(absl::StrCat(name, "/model.textproto"), text);
  }
  AdvancedClock clock;
  MemoryStore store;
  ModelRepository models({.root = folder.path()});
  ASSERT_TRUE(models.LoadAll().ok());
  Engine engine({.retention = {.policy = {.keep_last = 1}}}, &store, &models, &clock);
  std::vector<std::vector<Version>> lines;
  for (const char* name : {"plain", "own", "unloaded"}) {
    const auto made = Await(engine, &Engine::MakeState, {.model = name, .branch = name});
    ASSERT_TRUE(made.ok()) << made.status();
    std::vector<Version>& line = lines.emplace_back();
    line.push_back(made->snapshot->version());
    for (int i = 0; i < 4; ++i) line.push_back(AddOne(engine, BranchName{name}).value());
  }
  ASSERT_TRUE(models.Unload("unloaded").ok());
  RunSweep(engine);
  EXPECT_EQ(Ancestors(engine, "plain").size(), 5u) << "it is too young";
  clock.now += RetentionOptions().min_age;
  RunSweep(engine);
  EXPECT_THAT(Ancestors(engine, "plain"), ElementsAre(lines[0][4], lines[0][0]));
  EXPECT_THAT(Ancestors(engine, "own"), ElementsAre(lines[1][4], lines[1][3], lines[1][2], lines[1][0]));
  EXPECT_EQ(Ancestors(engine, "unloaded").size(), 5u) << "who knows what it says";
}

class EngineRetentionRaceTest : public EngineRetentionTest, public ::testing::WithParamInterface<bool> {
 protected:
  std::unique_ptr<Store> NewStore() {
    if (!GetParam()) return std::make_unique<MemoryStore>();
    return RocksDbStore::Open({.path = directory_.path()}).value();
  }

 private:
  testing::TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(Store, EngineRetentionRaceTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "OnDisk" : "InMemory"; });

// What the thread sanitizer is to see.
TEST_P(EngineRetentionRaceTest, SweepsBesideStepsForksReadsAndDeletionsTakeNothingThatIsKept) {
  constexpr int kThreads = 4, kRounds = 60, kLast = 5;
  testing::FaultReport report(absl::StrCat("retention races with steps, reads, forks and deletions, ",
                                           GetParam() ? "on disk" : "in memory"));
  SystemClock clock;
  const std::unique_ptr<Store> store = NewStore();
  ModelRepository models({.root = kData});
  ASSERT_TRUE(models.Load("counter").ok());
  Engine engine({.max_cached_snapshots = 32,
                 .version_block = 8,
                 .retention = {.min_age = absl::ZeroDuration(), .batch_size = 7}},
                store.get(), &models, &clock);
  absl::Mutex report_mutex;
  const auto tell = [&](absl::string_view what, const absl::Status& status) {
    absl::MutexLock lock(&report_mutex);
    report.Got(what, status, GetErrorInfo(status).reason);
  };
  const auto expect_evicted = [](const absl::Status& status) {
    EXPECT_EQ(GetErrorInfo(status).reason, "SNAPSHOT_EVICTED") << status;
  };
  std::atomic<bool> ended = false;
  std::thread retention([&] {
    while (!ended) EXPECT_TRUE(engine.Retain().ok());
  });
  std::vector<std::set<Version>> marked(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = absl::StrCat("own", t);
      const auto made = Await(engine, &Engine::MakeState, {.model = "counter", .branch = own});
      ASSERT_TRUE(made.ok()) << made.status();
      ASSERT_TRUE(Await(engine, &Engine::UpdateBranch,
                        {.name = own, .retention = RetentionPolicy{.keep_last = kLast}})
                      .ok());
      std::vector<Version> line = {made->snapshot->version()};
      for (int i = 1; i <= kRounds; ++i) {
        const auto stepped = AddOne(engine, BranchName{own});
        ASSERT_TRUE(stepped.ok()) << stepped.status();
        tell("steps", stepped.status());
        line.push_back(*stepped);
        for (int k = std::max(0, i - kLast + 1); k <= i; ++k) {
          const auto count = CountOf(engine, line[static_cast<size_t>(k)]);
          ASSERT_TRUE(count.ok()) << count.status();
          EXPECT_EQ(*count, k);
        }
        if (i % 7 == 0) {
          UpdateSnapshotRequest mark{.version = *stepped};
          if (i % 2 == 0) mark.pinned = true;
          if (i % 2 == 1) mark.labels = Labels{{"round", absl::StrCat(i)}};
          ASSERT_TRUE(Await(engine, &Engine::UpdateSnapshot, mark).ok());
          marked[static_cast<size_t>(t)].insert(*stepped);
        }
        // What others may drop at any moment, and be it in the middle of these.
        const int at = i / 2;
        const Version old = line[static_cast<size_t>(at)];
        const auto fork = AddOne(engine, old);
        tell("steps of an old version", fork.status());
        if (fork.ok()) {
          EXPECT_EQ(CountOf(engine, *fork).value(), at + 1) << "no policy says anything of it";
        } else {
          expect_evicted(fork.status());
        }
        const std::string name = absl::StrCat(own, "/", i);
        const auto branch = Await(engine, &Engine::CreateBranch,
                                  {.name = name, .state = old, .retention = RetentionPolicy{.keep_last = 1}});
        if (branch.ok()) {
          EXPECT_EQ(CountOf(engine, old).value(), at) << "it is a head now";
          if (i % 3 != 0) {
            EXPECT_TRUE(Await(engine, &Engine::DeleteBranch, {.name = name}).ok());
          }
        } else {
          expect_evicted(branch.status());
        }
        const Version older = line[static_cast<size_t>(i / 3)];
        if (i / 3 < i - kLast && !marked[static_cast<size_t>(t)].contains(older)) {
          const auto deleted = Await(engine, &Engine::DeleteSnapshots, {.versions = {older}});
          tell("deletions", deleted.status());
          if (!deleted.ok() && !absl::IsFailedPrecondition(deleted.status()))
            expect_evicted(deleted.status());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ended = true;
  retention.join();

  RunSweep(engine);  // Ends the one that is under way.
  RunSweep(engine);
  std::set<Version> heads;
  const auto branches = Await(engine, &Engine::ListBranches, {.limit = 10'000});
  ASSERT_TRUE(branches.ok()) << branches.status();
  for (const BranchRecord& branch : branches->branches) heads.insert(branch.head);
  for (size_t t = 0; t < kThreads; ++t) {
    const std::vector<Version> left = Ancestors(engine, absl::StrCat("own", t));
    std::set<Version> to_find = marked[t];
    for (size_t i = 0; i < left.size(); ++i) {
      const bool is_marked = to_find.erase(left[i]) > 0;
      EXPECT_TRUE(i < kLast || i + 1 == left.size() || is_marked || heads.contains(left[i])) << left[i];
    }
    EXPECT_TRUE(to_find.empty());
    for (size_t i = 0; i < marked[t].size(); ++i) report.Found(i >= to_find.size());
  }
}

}  // namespace
}  // namespace stepwell
