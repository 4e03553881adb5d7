// make_golden_store DIR: writes a store in the format of this build to DIR, which must not exist. What it
// holds is what rocksdb_golden_test.cc expects. Run once for each format; the result stands in
// tests/data/stores/format_N.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/store_calls.h"

namespace stepwell {
namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

// A snapshot of a small array, one that goes into a blob, and one that grows.
std::shared_ptr<StoredSnapshot> Make(Version version, const SnapshotRecord* parent) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  record.version = version;
  record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"model", 2, "step"});
  record.create_time = testing::kTime + absl::Seconds(version.value());
  record.labels = Labels{{"version", std::to_string(version.value())}};
  record.writers.assign(3, version);
  const auto number = static_cast<int32_t>(version.value());
  snapshot->written.push_back(Array::Scalar(number));
  if (parent == nullptr) {
    const std::vector<float> elements(4096, static_cast<float>(number));
    snapshot->written.push_back(Array::From<float>({64, 64}, elements).value());
  } else {
    record.parent = parent->version;
    record.step_count = parent->step_count + 1;
    record.writers[1] = parent->writers[1];
    record.chains = parent->chains;
    record.chains.Append(2, parent->writers[2]);
  }
  snapshot->written.push_back(Array::From<int32_t>({1}, std::vector{number}).value());
  return snapshot;
}

// Version 1 and its child 2, of which 3 and 4 were made; 2 was dropped and is a skeleton; 5 was dropped with
// all that it had. 4 is pinned and relabelled. Branch "live" is at 3.
void Write(RocksDbStore& store) {
  const auto root = Make(testing::Reserve(store).value(), nullptr);
  const auto middle = Make(testing::Reserve(store).value(), &root->record);
  const auto left = Make(testing::Reserve(store).value(), &middle->record);
  const auto right = Make(testing::Reserve(store).value(), &middle->record);
  const auto leaf = Make(testing::Reserve(store).value(), &right->record);
  CommitBatch first;
  first.snapshots = {root, middle, left, right, leaf};
  first.new_branches.push_back(testing::MakeBranch("live", root->record.version));
  first.requests.push_back({.id = "request",
                            .digest = "digest",
                            .time = testing::kTime,
                            .base = root->record.version,
                            .revision = 2,
                            .versions = {left->record.version}});
  Check(testing::Commit(store, std::move(first)));
  CommitBatch second;
  second.branch_updates.push_back({.name = "live",
                                   .head = left->record.version,
                                   .time = testing::kTime + absl::Seconds(1),
                                   .expire_time = testing::kTime + absl::Hours(1)});
  second.snapshot_updates.push_back(
      {.version = right->record.version, .labels = Labels{{"kept", "yes"}}, .pinned = true});
  Check(testing::Commit(store, std::move(second)));
  Check(testing::Drop(store, {middle->record.version, leaf->record.version}).status());
}

// Half of it in tables and blobs, half in the log.
void Flush(const std::string& path) {
  const auto database = RocksDbDatabase::Open(path, rocksdb::Env::Default());
  Check(database.status());
  for (const Family family : {Family::kSnapshots, Family::kArrays, Family::kTree}) {
    const auto flushed = (*database)->db().Flush(rocksdb::FlushOptions(), (*database)->family(family));
    if (!flushed.ok()) Check(absl::InternalError(flushed.ToString()));
  }
}

// What says where and when it was made, and is not needed.
void RemoveTraces(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().filename();
    if (absl::StartsWith(name, "LO") || absl::StartsWith(name, "OPTIONS") || absl::EndsWith(name, ".lock")) {
      std::filesystem::remove(entry.path());
    }
  }
}

int Main(const std::string& path) {
  if (std::filesystem::exists(path)) Check(absl::AlreadyExistsError(path));
  {
    auto store = RocksDbStore::Open({.path = path});
    Check(store.status());
    Write(**store);
  }
  Flush(path);
  {
    auto store = RocksDbStore::Open({.path = path});
    Check(store.status());
    CommitBatch late;
    const auto left = testing::ReadSnapshot(**store, Version(3));
    Check(left.status());
    late.snapshots = {Make(testing::Reserve(**store).value(), left->get())};
    Check(testing::Commit(**store, std::move(late)));
  }
  RemoveTraces(path);
  return 0;
}

}  // namespace
}  // namespace stepwell

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_golden_store DIR\n";
    return 2;
  }
  return stepwell::Main(argv[1]);
}
