#ifndef STEPWELL_STORAGE_TESTING_FORWARDING_STORE_H_
#define STEPWELL_STORAGE_TESTING_FORWARDING_STORE_H_

#include <memory>
#include <utility>
#include <vector>

#include "stepwell/storage/memory_store.h"

namespace stepwell::testing {

// A memory store, for a test to override what it wants to watch or to change.
class ForwardingStore : public Store {
 public:
  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override {
    store_.Commit(std::move(batch), durability, std::move(visible), std::move(durable));
  }
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override {
    store_.DropSnapshots(std::move(drop), durability, std::move(done));
  }
  void ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) override {
    store_.ReadSnapshot(version, std::move(done));
  }
  void ReadArray(Version writer, int position, Callback<Array> done) override {
    store_.ReadArray(writer, position, std::move(done));
  }
  void ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) override {
    store_.ReadArrayPart(writer, position, std::move(done));
  }
  void ReadBranch(absl::string_view name, Callback<BranchRecord> done) override {
    store_.ReadBranch(name, std::move(done));
  }
  void ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                    Callback<std::vector<BranchRecord>> done) override {
    store_.ScanBranches(prefix, after, limit, std::move(done));
  }
  void ReadRequest(absl::string_view id, absl::Time now,
                   Callback<std::shared_ptr<const RequestRecord>> done) override {
    store_.ReadRequest(id, now, std::move(done));
  }
  void ScanAncestors(Version version, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override {
    store_.ScanAncestors(version, limit, std::move(done));
  }
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override {
    store_.ScanSnapshots(before, limit, std::move(done));
  }
  void ReserveVersions(int64_t count, Callback<VersionBlock> done) override {
    store_.ReserveVersions(count, std::move(done));
  }
  void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) override {
    store_.RecordModelRevision(std::move(record), std::move(done));
  }
  void ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) override {
    store_.ReadModelRevisions(std::move(done));
  }
  void Checkpoint(std::string path, Callback<int64_t> done) override {
    store_.Checkpoint(std::move(path), std::move(done));
  }
  bool IsDurable(Version version) const override { return store_.IsDurable(version); }
  void SetBranchListener(BranchListener* listener) override { store_.SetBranchListener(listener); }

 private:
  MemoryStore store_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_FORWARDING_STORE_H_
