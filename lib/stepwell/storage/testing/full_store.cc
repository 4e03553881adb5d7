#include "stepwell/storage/testing/full_store.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/store_calls.h"

namespace stepwell::testing {
namespace {

constexpr int kPositions = 3;

// A snapshot of a small array, one that goes into a blob, and one that grows. Where `parent` is given the
// second is its.
std::shared_ptr<StoredSnapshot> Make(Version version, const SnapshotRecord* parent, bool rewrites = false) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  record.version = version;
  record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"counter", 2, "step"});
  record.create_time = kTime + absl::Seconds(version.value());
  record.writers.assign(kPositions, version);
  record.state_bytes = 1000 * version.value();
  record.new_bytes = 10 * version.value();
  if (parent != nullptr) {
    record.parent = parent->version;
    record.step_count = parent->step_count + 1;
    record.chains = parent->chains;
    record.chains.Append(2, parent->writers[2]);
    if (!rewrites) record.writers[1] = parent->writers[1];
  }
  const auto number = static_cast<int32_t>(version.value());
  snapshot->written.push_back(Array::Scalar(number));
  if (record.writers[1] == version) {
    const std::vector<float> elements(1200, static_cast<float>(number));
    snapshot->written.push_back(Array::From<float>({30, 40}, elements).value());
  }
  snapshot->written.push_back(Array::From<int32_t>({1}, std::vector{number}).value());
  return snapshot;
}

RequestRecord MakeRequest(absl::string_view id, Version version) {
  return {.id = std::string(id),
          .digest = absl::StrCat("digest of ", id),
          .time = kTime,
          .base = Version(1),
          .revision = 2,
          .versions = {version},
          .branch = MakeBranch("live", version)};
}

void Expect(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; }

std::unique_ptr<RocksDbStore> OpenFull(const std::string& path, rocksdb::Env* env) {
  auto store = RocksDbStore::Open({.path = path, .env = env});
  EXPECT_TRUE(store.ok()) << store.status();
  return std::move(store).value();
}

// Versions 1 to 6: 2, of which 3 and 4 were made, is a skeleton; 5 was dropped with all that it had.
std::shared_ptr<const StoredSnapshot> MakeFirstHalf(RocksDbStore& store) {
  Expect(RecordModelRevision(store, {"counter",
                                     2,
                                     "sha256:2",
                                     {{"small", DType::kInt32, {}},
                                      {"large", DType::kFloat32, {30, 40}},
                                      {"growing", DType::kInt32, {ModelRevisionRecord::kDynamic}}}}));
  const auto root = Make(Reserve(store).value(), nullptr);
  const auto middle = Make(Reserve(store).value(), &root->record, /*rewrites=*/true);
  const auto left = Make(Reserve(store).value(), &middle->record);
  const auto right = Make(Reserve(store).value(), &middle->record);
  const auto leaf = Make(Reserve(store).value(), &right->record);
  const auto other = Make(Reserve(store).value(), nullptr);
  CommitBatch batch;
  batch.snapshots = {root, middle, left, right, leaf, other};
  batch.new_branches = {MakeBranch("live", left->record.version), MakeBranch("old", root->record.version)};
  batch.new_branches[0].labels = Labels{{"for", "trial"}};
  batch.new_branches[0].retention = RetentionPolicy{.keep_last = 7, .max_age = absl::Hours(3)};
  batch.requests = {MakeRequest("first", left->record.version)};
  Expect(Commit(store, std::move(batch)));
  CommitBatch update;
  update.snapshot_updates = {
      {.version = right->record.version, .labels = Labels{{"kept", "yes"}}, .pinned = true}};
  Expect(Commit(store, std::move(update)));
  Expect(Drop(store, {middle->record.version, leaf->record.version}).status());
  return left;
}

// Versions 7 to 12, on `base`; 9 was dropped, and its child took its place.
void MakeSecondHalf(RocksDbStore& store, const SnapshotRecord& base) {
  std::vector<std::shared_ptr<StoredSnapshot>> chain;
  for (int i = 0; i < 6; ++i) {
    chain.push_back(Make(Reserve(store).value(), i == 0 ? &base : &chain.back()->record, i == 4));
    CommitBatch batch;
    batch.snapshots = {chain.back()};
    batch.branch_updates = {MoveOf("live", i == 0 ? base.version : *chain.back()->record.parent,
                                   chain.back()->record.version, kTime + absl::Seconds(i))};
    Expect(Commit(store, std::move(batch)));
  }
  Expect(Drop(store, {chain[2]->record.version}).status());
  CommitBatch batch;
  batch.new_branches = {MakeBranch("late", chain[3]->record.version)};
  batch.branch_deletions = {{.name = "old"}};
  batch.snapshot_updates = {{.version = chain[1]->record.version, .labels = Labels{{"late", "label"}}}};
  batch.requests = {MakeRequest("second", chain[5]->record.version)};
  Expect(Commit(store, std::move(batch), Durability::kSync));
  EXPECT_EQ(Reserve(store).value(), kFullStoreEnd);
}

std::string TextOf(const Labels& labels) { return absl::StrJoin(labels, ",", absl::PairFormatter("=")); }

std::string TextOf(const SnapshotRecord& record) {
  std::string text = absl::StrCat(
      "parent ", std::optional<Version>(record.parent).value_or(Version(0)).value(), " of ",
      record.origin->model, " ", record.origin->revision, " ", record.origin->method, " at ",
      absl::FormatTime(record.create_time), " labels ", TextOf(*record.labels), " bytes ", record.state_bytes,
      " ", record.new_bytes, " steps ", int64_t{record.step_count}, " pinned ", bool{record.pinned});
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    absl::StrAppend(&text, " writer ", record.writers[static_cast<size_t>(position)].value());
    const ArrayChain* const array = record.chains.Find(position);
    if (array != nullptr) absl::StrAppend(&text, " of ", array->first.value(), "-", array->previous.value());
  }
  return text;
}

std::string TextOf(const BranchRecord& branch) {
  std::string text = absl::StrCat(branch.name, " of ", branch.model, " at ", branch.head.value(), " ",
                                  absl::FormatTime(branch.create_time), " ",
                                  absl::FormatTime(branch.update_time), " ", TextOf(branch.labels));
  if (!branch.retention.has_value()) return text;
  return absl::StrCat(text, " keeps ", branch.retention->keep_last.value_or(0), " ",
                      absl::FormatDuration(branch.retention->max_age.value_or(absl::ZeroDuration())));
}

std::string TextOf(const RequestRecord& request) {
  std::string text = absl::StrCat(request.id, " ", request.digest, " ", absl::FormatTime(request.time), " ",
                                  request.base.value_or(Version(0)).value(), " ", request.revision);
  for (const Version version : request.versions) absl::StrAppend(&text, " ", version.value());
  if (request.branch.has_value()) absl::StrAppend(&text, " ", TextOf(*request.branch));
  return text;
}

std::string TextOf(const Array& array) {
  const absl::Span<const std::byte> bytes = array.bytes();
  return absl::StrCat(DTypeName(array.dtype()), " ", absl::StrJoin(array.shape().dims(), "x"), " ",
                      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string TextOf(const std::vector<Version>& versions) {
  return absl::StrJoin(versions, " ",
                       [](std::string* out, Version version) { absl::StrAppend(out, version.value()); });
}

std::string TextOf(const Records& records) { return TextOf(VersionsOf(records)); }

std::string TextOf(const std::vector<BranchRecord>& branches) {
  return absl::StrJoin(branches, "\n",
                       [](std::string* out, const auto& branch) { absl::StrAppend(out, TextOf(branch)); });
}

std::string TextOf(const std::vector<ModelRevisionRecord>& revisions) {
  std::string text;
  for (const ModelRevisionRecord& revision : revisions) {
    absl::StrAppend(&text, revision.model, " ", revision.revision, " ", revision.digest);
    for (const auto& array : revision.state) {
      absl::StrAppend(&text, " ", array.index, " ", DTypeName(array.dtype), " ",
                      absl::StrJoin(array.dims, "x"));
    }
  }
  return text;
}

template <typename T>
std::string TextOf(const std::shared_ptr<T>& value) {
  return value == nullptr ? "nothing" : TextOf(*value);
}

template <typename T>
absl::StatusOr<std::string> AnswerOf(const absl::StatusOr<T>& result) {
  if (!result.ok()) return result.status();
  return TextOf(*result);
}

}  // namespace

void MakeFullStore(const std::string& path, rocksdb::Env* env) {
  std::shared_ptr<const StoredSnapshot> base;
  {
    const auto store = OpenFull(path, env);
    base = MakeFirstHalf(*store);
  }
  // A start writes what the log has to tables.
  const auto store = OpenFull(path, env);
  MakeSecondHalf(*store, base->record);
}

Answers ReadEverything(Store& store, Version end) {
  Answers answers;
  for (int64_t number = 1; number < end.value(); ++number) {
    const Version version(number);
    answers.emplace(absl::StrCat("snapshot ", number), AnswerOf(ReadSnapshot(store, version)));
    answers.emplace(absl::StrCat("ancestors of ", number), AnswerOf(ScanAncestors(store, version, 100)));
    for (int position = 0; position < kPositions; ++position) {
      answers.emplace(absl::StrCat("array ", number, " ", position),
                      AnswerOf(ReadArray(store, version, position)));
    }
  }
  answers.emplace(
      "snapshots",
      AnswerOf(Wait<Records>([&](auto done) { store.ScanSnapshots(end, 100, std::move(done)); })));
  answers.emplace("branches", AnswerOf(ScanBranches(store, "", "", 100)));
  for (const char* const id : {"first", "second"}) {
    answers.emplace(absl::StrCat("request ", id), AnswerOf(ReadRequest(store, id, kTime)));
  }
  answers.emplace("revisions", AnswerOf(ReadModelRevisions(store)));
  return answers;
}

FileBytes ReadFiles(const std::string& path, rocksdb::Env* env) {
  FileBytes files;
  std::vector<std::string> names;
  EXPECT_TRUE(env->GetChildren(path, &names).ok());
  for (const std::string& name : names) {
    const bool holds_nothing = absl::StartsWith(name, "LO") || absl::EndsWith(name, ".lock");
    if (!holds_nothing && name != "." && name != "..") {
      EXPECT_TRUE(rocksdb::ReadFileToString(env, absl::StrCat(path, "/", name), &files[name]).ok()) << name;
    }
  }
  return files;
}

void WriteFiles(const FileBytes& files, const std::string& path, rocksdb::Env* env) {
  EXPECT_TRUE(env->CreateDirIfMissing(path).ok());
  for (const auto& [name, bytes] : files) {
    const auto written = rocksdb::WriteStringToFile(env, bytes, absl::StrCat(path, "/", name));
    EXPECT_TRUE(written.ok()) << name << " " << written.ToString();
  }
}

}  // namespace stepwell::testing
