#ifndef STEPWELL_TESTS_CONFORMANCE_API_H_
#define STEPWELL_TESTS_CONFORMANCE_API_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "stepwell/engine/branch_watch.h"
#include "stepwell/engine/moved_history.h"
#include "stepwell/engine/requests.h"

namespace stepwell::testing {

// The whole API, whichever way it is reached. Requests are the engine's; results are what both ways can tell.
// Every call blocks. Thread-safe.
class Api {
 public:
  struct Made {
    SnapshotRecord snapshot;
    std::optional<BranchRecord> branch;
  };
  struct Stepped {
    Version version{0};
    NamedArrays outputs;
    NamedArrays fetched;
  };
  struct Read {
    Version version{0};
    NamedArrays arrays;
  };

  struct Diff {
    std::string index;
    ArrayDiff::Kind kind;
    std::optional<double> max_abs;

    friend bool operator==(const Diff&, const Diff&) = default;
  };
  struct Exported {
    MovedHistory history;
    std::vector<MovedSnapshot> snapshots;
  };
  // What follows branches; Next blocks.
  using Event = std::variant<BranchNews::Move, BranchNews::Missed>;
  class Watch {
   public:
    virtual ~Watch() = default;
    virtual absl::StatusOr<Event> Next() = 0;
  };

  virtual ~Api() = default;

  // Of an error; empty when it has none.
  virtual std::string Reason(const absl::Status& status) const = 0;
  virtual std::string Metadata(const absl::Status& status, const std::string& key) const = 0;

  virtual absl::StatusOr<int64_t> LoadModel(const std::string& name) = 0;  // The revision.
  virtual absl::Status UnloadRevision(const std::string& name, int64_t revision) = 0;
  virtual absl::StatusOr<Made> MakeState(const MakeStateRequest& request) = 0;
  virtual absl::StatusOr<Stepped> Step(const StepRequest& request) = 0;
  virtual absl::StatusOr<std::vector<absl::StatusOr<Stepped>>> BatchStep(const BatchStepRequest& request) = 0;
  virtual absl::StatusOr<ScanResult> Scan(const ScanRequest& request) = 0;
  virtual absl::StatusOr<SnapshotRecord> SetArrays(const SetArraysRequest& request) = 0;
  // As a stream of chunks, where there is one; else as SetArrays.
  virtual absl::StatusOr<SnapshotRecord> WriteArrays(const SetArraysRequest& request) = 0;
  // Each step from what the one before made, and the first from `state`: as a stream, where there is one.
  // Their own states do not count.
  virtual std::vector<absl::StatusOr<Stepped>> StepInOrder(const StateRef& state,
                                                           const std::vector<StepRequest>& steps) = 0;
  virtual absl::StatusOr<std::vector<Diff>> DiffSnapshots(const DiffSnapshotsRequest& request) = 0;
  virtual absl::StatusOr<Read> GetArrays(const GetArraysRequest& request) = 0;
  virtual absl::StatusOr<SnapshotRecord> GetSnapshot(const StateRef& state) = 0;
  // Every page of `request.limit`.
  virtual absl::StatusOr<std::vector<SnapshotRecord>> ListSnapshots(ListSnapshotsRequest request) = 0;
  virtual absl::StatusOr<SnapshotRecord> UpdateSnapshot(const UpdateSnapshotRequest& request) = 0;
  virtual absl::StatusOr<int64_t> DeleteSnapshots(const DeleteSnapshotsRequest& request) = 0;  // Freed bytes.
  virtual absl::StatusOr<Exported> ExportSnapshots(const ExportSnapshotsRequest& request) = 0;
  // As a stream, where there is one.
  virtual absl::StatusOr<Made> ImportSnapshots(const ImportSnapshotsRequest& request,
                                               const std::vector<MovedSnapshot>& snapshots) = 0;
  virtual absl::StatusOr<BranchRecord> CreateBranch(const CreateBranchRequest& request) = 0;
  virtual absl::StatusOr<BranchRecord> GetBranch(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<BranchRecord>> ListBranches(ListBranchesRequest request) = 0;
  virtual absl::StatusOr<BranchRecord> UpdateBranch(const UpdateBranchRequest& request) = 0;
  virtual absl::Status DeleteBranch(const DeleteBranchRequest& request) = 0;
  virtual absl::StatusOr<std::unique_ptr<Watch>> WatchBranches(const WatchBranchesRequest& request) = 0;
};

// Moves of branches that every way remembers.
inline constexpr int kMaxBranchMoves = 64;

// A way to Stepwell, with the models of a folder loaded and nothing else in it.
struct Way {
  std::string name;
  std::unique_ptr<Api> (*make)(const std::filesystem::path& models);

  friend std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }
};

// Every case runs against every way. The models are counter (int32 `count`, plus x), batchnorm_batch,
// gru_batch, which declares batching, and attention_decoder, whose state grows.
class Conformance : public ::testing::TestWithParam<Way> {
 protected:
  Conformance();
  ~Conformance() override;

  void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason = "") const;

  // A new counter.
  Version Make(std::optional<std::string> branch = std::nullopt);
  // Adds `x` to a counter; the version it made.
  absl::StatusOr<Version> Add(const StateRef& state, int32_t x);
  absl::StatusOr<int32_t> Count(const StateRef& state);
  // A new counter as the root of a new branch, and `count` steps by 1 on it; oldest first.
  std::vector<Version> MakeLine(const std::string& branch, int count);

  Api& api() { return *api_; }
  const std::filesystem::path& models() const { return models_; }

 private:
  std::filesystem::path models_;
  std::unique_ptr<Api> api_;
};

inline std::vector<Version> VersionsOf(const absl::StatusOr<std::vector<SnapshotRecord>>& snapshots) {
  std::vector<Version> versions;
  for (const SnapshotRecord& snapshot : snapshots.value()) versions.push_back(snapshot.version);
  return versions;
}

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CONFORMANCE_API_H_
