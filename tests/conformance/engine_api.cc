#include <deque>

#include "absl/synchronization/notification.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/error_info.h"
#include "stepwell/base/periodic_task.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/temporary_directory.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

class EngineWatch final : public Api::Watch {
 public:
  explicit EngineWatch(std::unique_ptr<BranchWatch> watch) : watch_(std::move(watch)) {}

  absl::StatusOr<Api::Event> Next() override {
    while (events_.empty()) {
      if (const std::optional<BranchNews> news = watch_->Next(100)) {
        if (news->missed.has_value()) events_.emplace_back(*news->missed);
        events_.insert(events_.end(), news->moves.begin(), news->moves.end());
        continue;
      }
      auto called = std::make_shared<absl::Notification>();
      if (watch_->Wait([called] { called->Notify(); })) called->WaitForNotification();
    }
    Api::Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  const std::unique_ptr<BranchWatch> watch_;
  std::deque<Api::Event> events_;
};

class EngineApi final : public Api {
 public:
  EngineApi(const std::filesystem::path& models, std::unique_ptr<Store> store)
      : store_(std::move(store)),
        models_({.root = models}, store_.get()),
        engine_({.max_branch_moves = kMaxBranchMoves,
                 .retention = {.min_age = absl::ZeroDuration(), .pause = absl::Milliseconds(10)}},
                store_.get(), &models_, &clock_),
        housekeeping_(absl::Milliseconds(10),
                      [this] {
                        engine_.DropExpired();
                        return absl::Milliseconds(10);
                      }),
        retention_(absl::ZeroDuration(), [this] { return engine_.Retain().value(); }) {
    EXPECT_TRUE(models_.LoadAll().ok());
  }

  std::string Reason(const absl::Status& status) const override { return GetErrorInfo(status).reason; }
  std::string Metadata(const absl::Status& status, const std::string& key) const override {
    for (const auto& [name, value] : GetErrorInfo(status).metadata) {
      if (name == key) return value;
    }
    return "";
  }

  absl::StatusOr<int64_t> LoadModel(const std::string& name) override {
    const auto model = models_.Load(name);
    if (!model.ok()) return model.status();
    return (*model)->revision();
  }
  absl::Status UnloadRevision(const std::string& name, int64_t revision) override {
    return models_.Unload(name, revision);
  }
  absl::StatusOr<Made> MakeState(const MakeStateRequest& request) override {
    const auto made = Await(engine_, &Engine::MakeState, request);
    if (!made.ok()) return made.status();
    return Made{made->snapshot->record(), made->branch};
  }
  absl::StatusOr<Stepped> Step(const StepRequest& request) override {
    return SteppedOf(Await(engine_, &Engine::Step, request));
  }
  absl::StatusOr<std::vector<absl::StatusOr<Stepped>>> BatchStep(const BatchStepRequest& request) override {
    const auto batch = Await(engine_, &Engine::BatchStep, request);
    if (!batch.ok()) return batch.status();
    std::vector<absl::StatusOr<Stepped>> results;
    for (const auto& result : batch->results) results.push_back(SteppedOf(result));
    return results;
  }
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request) override {
    return Await(engine_, &Engine::Scan, request);
  }
  absl::StatusOr<SnapshotRecord> SetArrays(const SetArraysRequest& request) override {
    const auto set = Await(engine_, &Engine::SetArrays, request);
    if (!set.ok()) return set.status();
    return (*set)->record();
  }
  absl::StatusOr<SnapshotRecord> WriteArrays(const SetArraysRequest& request) override {
    return SetArrays(request);
  }
  std::vector<absl::StatusOr<Stepped>> StepInOrder(const StateRef& state,
                                                   const std::vector<StepRequest>& steps) override {
    std::vector<absl::StatusOr<Stepped>> results;
    const auto start = GetSnapshot(state);
    EXPECT_TRUE(start.ok()) << start.status();
    if (!start.ok()) return results;
    Version at = start->version;
    for (StepRequest step : steps) {
      step.state = state;
      if (std::holds_alternative<BranchName>(state)) {
        step.expected_head = at;
      } else {
        step.state = at;
      }
      results.push_back(Step(step));
      if (results.back().ok()) at = results.back()->version;
    }
    return results;
  }
  absl::StatusOr<std::vector<Diff>> DiffSnapshots(const DiffSnapshotsRequest& request) override {
    const auto result = Await(engine_, &Engine::DiffSnapshots, request);
    if (!result.ok()) return result.status();
    std::vector<Diff> diffs;
    for (const ArrayDiff& array : result->arrays) {
      diffs.push_back({array.index, array.kind, std::nullopt});
      if (array.difference.has_value()) diffs.back().max_abs = array.difference->max_abs;
    }
    return diffs;
  }
  absl::StatusOr<Read> GetArrays(const GetArraysRequest& request) override {
    const auto read = Await(engine_, &Engine::GetArrays, request);
    if (!read.ok()) return read.status();
    return Read{read->snapshot->version(), read->arrays};
  }
  absl::StatusOr<SnapshotRecord> GetSnapshot(const StateRef& state) override {
    return RecordOf(Await(engine_, &Engine::GetSnapshot, GetSnapshotRequest{state}));
  }
  absl::StatusOr<std::vector<SnapshotRecord>> ListSnapshots(ListSnapshotsRequest request) override {
    std::vector<SnapshotRecord> all;
    do {
      const auto page = Await(engine_, &Engine::ListSnapshots, request);
      if (!page.ok()) return page.status();
      for (const SnapshotInfo& snapshot : page->snapshots) all.push_back(*snapshot.record);
      request.after = page->next_after;
    } while (request.after.has_value());
    return all;
  }
  absl::StatusOr<SnapshotRecord> UpdateSnapshot(const UpdateSnapshotRequest& request) override {
    return RecordOf(Await(engine_, &Engine::UpdateSnapshot, request));
  }
  absl::StatusOr<int64_t> DeleteSnapshots(const DeleteSnapshotsRequest& request) override {
    const auto deleted = Await(engine_, &Engine::DeleteSnapshots, request);
    if (!deleted.ok()) return deleted.status();
    return deleted->freed_bytes;
  }
  absl::StatusOr<Exported> ExportSnapshots(const ExportSnapshotsRequest& request) override {
    const auto source = engine_.ExportSnapshots(request);
    if (!source.ok()) return source.status();
    Exported exported{(*source)->history(), {}};
    while (true) {
      auto snapshot = (*source)->Next();
      if (!snapshot.ok()) return snapshot.status();
      if (!snapshot->has_value()) return exported;
      exported.snapshots.push_back(**std::move(snapshot));
    }
  }
  absl::StatusOr<Made> ImportSnapshots(const ImportSnapshotsRequest& request,
                                       const std::vector<MovedSnapshot>& snapshots) override {
    const auto moving = engine_.ImportSnapshots(request);
    if (!moving.ok()) return moving.status();
    for (const MovedSnapshot& snapshot : snapshots) {
      const absl::Status added = (*moving)->Add(snapshot);
      if (!added.ok()) return added;
    }
    const auto result = (*moving)->Finish();
    if (!result.ok()) return result.status();
    return Made{*result->snapshot.record, result->branch};
  }
  absl::StatusOr<BranchRecord> CreateBranch(const CreateBranchRequest& request) override {
    return Await(engine_, &Engine::CreateBranch, request);
  }
  absl::StatusOr<BranchRecord> GetBranch(const std::string& name) override {
    return Await(engine_, &Engine::GetBranch, GetBranchRequest{name});
  }
  absl::StatusOr<std::vector<BranchRecord>> ListBranches(ListBranchesRequest request) override {
    std::vector<BranchRecord> all;
    while (true) {
      const auto page = Await(engine_, &Engine::ListBranches, request);
      if (!page.ok()) return page.status();
      all.insert(all.end(), page->branches.begin(), page->branches.end());
      if (!page->next_after.has_value()) return all;
      request.after = *page->next_after;
    }
  }
  absl::StatusOr<BranchRecord> UpdateBranch(const UpdateBranchRequest& request) override {
    return Await(engine_, &Engine::UpdateBranch, request);
  }
  absl::Status DeleteBranch(const DeleteBranchRequest& request) override {
    return Await(engine_, &Engine::DeleteBranch, request).status();
  }
  absl::StatusOr<std::unique_ptr<Watch>> WatchBranches(const WatchBranchesRequest& request) override {
    absl::StatusOr<std::unique_ptr<BranchWatch>> watch = Await(engine_, &Engine::WatchBranches, request);
    if (!watch.ok()) return watch.status();
    return std::make_unique<EngineWatch>(*std::move(watch));
  }

 private:
  static absl::StatusOr<Stepped> SteppedOf(const absl::StatusOr<StepResult>& stepped) {
    if (!stepped.ok()) return stepped.status();
    return Stepped{stepped->snapshot->version(), stepped->outputs, stepped->fetched};
  }
  static absl::StatusOr<SnapshotRecord> RecordOf(const absl::StatusOr<SnapshotInfo>& snapshot) {
    if (!snapshot.ok()) return snapshot.status();
    return *snapshot->record;
  }

  SystemClock clock_;
  const std::unique_ptr<Store> store_;
  ModelRepository models_;
  Engine engine_;
  PeriodicTask housekeeping_;
  PeriodicTask retention_;
};

std::unique_ptr<Api> InMemory(const std::filesystem::path& models) {
  return std::make_unique<EngineApi>(models, std::make_unique<MemoryStore>());
}

std::unique_ptr<Api> OnDisk(const std::filesystem::path& models) {
  static TemporaryDirectory directory;
  return std::make_unique<EngineApi>(models, RocksDbStore::Open({.path = directory.New()}).value());
}

INSTANTIATE_TEST_SUITE_P(Reached, Conformance,
                         ::testing::Values(Way{"Engine", InMemory}, Way{"EngineOnDisk", OnDisk}),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace stepwell::testing
