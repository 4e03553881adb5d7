#include "stepwell/storage/rocksdb_database.h"

#include <algorithm>
#include <cstdarg>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/listener.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/transaction_log.h"
#include "rocksdb/write_batch.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/rocksdb_log_files.h"
#include "stepwell/storage/rocksdb_tables.h"

namespace stepwell {
namespace {

constexpr const char* kFamilyNames[] = {"default", "snapshots", "arrays", "branches", "requests", "tree"};

// Arrays from here on go to blob files, which compactions do not copy over and over.
constexpr uint64_t kBlobBytes = 4096;

// Arrays that are written and not in a file yet, of which two such buffers may be in memory. More gains
// nothing: what goes to blob files is not merged.
constexpr size_t kArraysBufferBytes = 16 << 20;

// What a start reads again and writes to tables, which takes a fraction of a second.
constexpr uint64_t kMaxLogBytes = 32 << 20;

rocksdb::Slice SliceOf(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

rocksdb::DBOptions MakeOptions(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_missing_column_families = true;  // Of a store whose making was broken off.
  options.max_total_wal_size = kMaxLogBytes;
  // What a log holds that a process has left is not synced: it goes to tables, which are, before anything is
  // written that stands on it.
  options.avoid_flush_during_recovery = false;
  options.skip_stats_update_on_db_open = true;
  // Not even for people: when the disk is full, a line of RocksDB's own log that fails makes the next one, by
  // an assertion that Debian keeps, end the process.
  options.info_log = std::make_shared<NoLog>();
  options.db_host_id = "";  // Files name no machine: they may be copied to another.
  // What has failed is not tried again behind our back: the store is read-only from then on.
  options.max_bgerror_resume_count = 0;
  // A log that is needed and not there is an error.
  options.track_and_verify_wals_in_manifest = true;
  return options;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(Family family) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  // Most reads of places find none, which a filter tells without the disk.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (family == Family::kArrays) {
    options.write_buffer_size = kArraysBufferBytes;
    options.enable_blob_files = true;
    options.min_blob_size = kBlobBytes;
    options.enable_blob_garbage_collection = true;
  }
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> MakeDescriptors() {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (size_t i = 0; i < std::size(kFamilyNames); ++i) {
    descriptors.emplace_back(kFamilyNames[i], MakeFamilyOptions(static_cast<Family>(i)));
  }
  return descriptors;
}

// What became of opening the database in `path`.
absl::Status TellOpened(const rocksdb::Status& opened, const std::string& path, rocksdb::Env* env) {
  if (opened.ok()) return absl::OkStatus();
  if (!opened.IsCorruption()) return StoreReadFailed(absl::StrCat("\"", path, "\""), opened.ToString());
  // Of a table's head RocksDB does not say whose it is.
  const rocksdb::Status table = FindDamagedTable(path, env);
  return DirectoryDamaged(path, (table.IsCorruption() ? table : opened).ToString());
}

// A file that is not there is as damaged as one that is there and wrong.
bool IsDamage(const rocksdb::Status& status) { return status.IsCorruption() || status.IsPathNotFound(); }

rocksdb::ReadOptions ReadOptionsOf(const rocksdb::Snapshot* view) {
  rocksdb::ReadOptions options;
  options.snapshot = view;
  return options;
}

// What of the MANIFEST is in use, all of which is synced.
rocksdb::Status MeasureManifest(rocksdb::DB& db, uint64_t& number, uint64_t& bytes) {
  std::vector<std::string> files;
  const rocksdb::Status listed = db.GetLiveFiles(files, &bytes, /*flush_memtable=*/false);
  for (absl::string_view file : files) {
    if (absl::ConsumePrefix(&file, "/MANIFEST-") && absl::SimpleAtoi(file, &number)) return listed;
  }
  return listed.ok() ? rocksdb::Status::NotFound("no MANIFEST is in use") : listed;
}

// Cuts the logs in `path` where they were torn. DATA_LOSS: something that is synced cannot be read.
// `knows_synced` as LogInspection has it.
absl::Status MendLogs(const std::string& path, rocksdb::Env* env, bool& knows_synced) {
  const absl::StatusOr<LogInspection> inspection = InspectLogs(path, env);
  if (!inspection.ok()) return inspection.status();
  if (!inspection->damages.empty()) return DirectoryDamaged(path, inspection->damages.front());
  knows_synced = inspection->knows_synced;
  const rocksdb::Status cut = CutTorn(*inspection, env);
  return cut.ok() ? absl::OkStatus() : DirectoryNotWritable(path, cut.ToString());
}

}  // namespace

// Notes how long the MANIFEST has become with each table that was added to it. RocksDB calls it from threads
// of its own.
class RocksDbDatabase::DatabaseListener final : public rocksdb::EventListener {
 public:
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& /*info*/) override { Note(*db); }
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& /*info*/) override {
    Note(*db);
  }

  // When there is room again it would go on with a log that a write has failed on, where its assertions,
  // which Debian keeps, end the process.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

  void SetMark(std::shared_ptr<SyncedMark> mark) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mark_ = std::move(mark);
  }

  // One at a time: what was measured later is noted later.
  void Note(rocksdb::DB& db) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    uint64_t number = 0;
    uint64_t bytes = 0;
    if (mark_ != nullptr && MeasureManifest(db, number, bytes).ok()) mark_->SetManifest(number, bytes);
  }

 private:
  absl::Mutex mutex_;
  std::shared_ptr<SyncedMark> mark_ ABSL_GUARDED_BY(mutex_);  // Null while the database opens.
};

absl::StatusOr<std::unique_ptr<RocksDbDatabase>> RocksDbDatabase::Open(const std::string& path,
                                                                       rocksdb::Env* env) {
  absl::StatusOr<std::unique_ptr<RocksDbDirectory>> directory = RocksDbDirectory::Open(path, env);
  if (!directory.ok()) return directory.status();
  rocksdb::DBOptions options = MakeOptions(env);
  options.create_if_missing = (*directory)->is_new();
  if (!(*directory)->is_new()) {
    bool knows_synced = false;
    const absl::Status mended = MendLogs(path, env, knows_synced);
    if (!mended.ok()) return mended;
    if (knows_synced) options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  }
  const auto listener = std::make_shared<DatabaseListener>();
  options.listeners.push_back(listener);
  auto database = absl::WrapUnique(new RocksDbDatabase(*std::move(directory)));
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const absl::Status opened =
      TellOpened(rocksdb::DB::Open(options, path, MakeDescriptors(), &families, &db), path, env);
  if (!opened.ok()) return opened;
  database->db_.reset(db);
  std::ranges::copy(families, database->families_.begin());
  const absl::Status marked = database->OpenMark(path, env, *listener);
  if (!marked.ok()) return marked;
  return database;
}

absl::StatusOr<std::unique_ptr<RocksDbDatabase>> RocksDbDatabase::OpenForReading(
    std::unique_ptr<RocksDbDirectory> directory, const std::string& path, rocksdb::Env* env) {
  auto database = absl::WrapUnique(new RocksDbDatabase(std::move(directory)));
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const absl::Status opened = TellOpened(
      rocksdb::DB::OpenForReadOnly(MakeOptions(env), path, MakeDescriptors(), &families, &db), path, env);
  if (!opened.ok()) return opened;
  database->db_.reset(db);
  std::ranges::copy(families, database->families_.begin());
  return database;
}

absl::Status RocksDbDatabase::OpenMark(const std::string& path, rocksdb::Env* env,
                                       DatabaseListener& listener) {
  SyncedEnds ends;
  std::unique_ptr<rocksdb::LogFile> log;
  rocksdb::Status status = MeasureManifest(*db_, ends.manifest_number, ends.manifest_bytes);
  if (status.ok()) status = db_->GetCurrentWalFile(&log);
  if (!status.ok()) return StoreReadFailed(absl::StrCat("\"", path, "\""), status.ToString());
  ends.log_number = log->LogNumber();  // Nothing of it is synced so far.
  absl::StatusOr<std::unique_ptr<SyncedMark>> mark = SyncedMark::Open(path, ends, env);
  if (!mark.ok()) return mark.status();
  mark_ = *std::move(mark);
  listener.SetMark(mark_);
  listener.Note(*db_);  // It may have grown since.
  return absl::OkStatus();
}

RocksDbDatabase::~RocksDbDatabase() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  db_->Close().PermitUncheckedError();  // What was to be synced has been.
}

absl::StatusOr<std::optional<std::string>> RocksDbDatabase::Get(Family family, absl::string_view key,
                                                                absl::string_view what,
                                                                const rocksdb::Snapshot* view) const {
  std::string value;
  const rocksdb::Status read = db_->Get(ReadOptionsOf(view), this->family(family), SliceOf(key), &value);
  if (read.ok()) return value;
  if (read.IsNotFound()) return std::nullopt;
  return ReadError(read, what);
}

std::string RocksDbDatabase::DetailOf(const rocksdb::Status& status) const {
  std::string detail = status.ToString();
  if (!absl::StrContains(detail, db_->GetName())) absl::StrAppend(&detail, " in \"", db_->GetName(), "\"");
  return detail;
}

absl::Status RocksDbDatabase::ReadError(const rocksdb::Status& status, absl::string_view what) const {
  if (IsDamage(status)) return RecordDamaged(what, DetailOf(status));
  return StoreReadFailed(what, DetailOf(status));
}

absl::StatusOr<SnapshotRow> RocksDbDatabase::ReadSnapshot(Version version,
                                                          const rocksdb::Snapshot* view) const {
  const auto value = Get(Family::kSnapshots, SnapshotKey(version),
                         absl::StrCat("the record of version ", version.value()), view);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return Missing(version);
  return DecodeSnapshot(version, **value);
}

absl::StatusOr<std::optional<PlaceRow>> RocksDbDatabase::ReadPlace(Version version,
                                                                   const rocksdb::Snapshot* view) const {
  const auto value = Get(Family::kTree, PlaceKey(version),
                         absl::StrCat("the place of version ", version.value(), " among the others"), view);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return std::nullopt;
  return DecodePlace(version, **value);
}

absl::StatusOr<ArrayPart> RocksDbDatabase::ReadArray(Version writer, int position) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status read =
      db_->Get(rocksdb::ReadOptions(), family(Family::kArrays), SliceOf(ArrayKey(writer, position)), &value);
  if (read.IsNotFound()) return Missing(writer);
  if (IsDamage(read)) return ArrayDamaged(writer, position, DetailOf(read));
  if (!read.ok()) {
    return StoreReadFailed(
        absl::StrCat("the array at position ", position, " that version ", writer.value(), " wrote"),
        DetailOf(read));
  }
  return DecodeArray(writer, position, ViewOf(value));
}

absl::StatusOr<OrphanRow> RocksDbDatabase::ReadOrphan(Version writer, int position) const {
  const std::string what =
      absl::StrCat("what is known of the array at position ", position, " of version ", writer.value());
  const auto value = Get(Family::kTree, OrphanKey(writer, position), what);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return RecordDamaged(what, "it is missing");
  return DecodeOrphan(writer, position, **value);
}

absl::StatusOr<std::optional<RocksDbDatabase::Run>> RocksDbDatabase::FindDropped(
    Version version, rocksdb::Iterator& tree) const {
  tree.SeekForPrev(DroppedKey(version));
  if (!tree.Valid()) {
    if (!tree.status().ok()) return ReadError(tree.status(), "the versions that were dropped");
    return std::nullopt;
  }
  const std::optional<Version> first = DroppedKeyFirst(ViewOf(tree.key()));
  if (!first.has_value()) return std::nullopt;
  const std::optional<Version> last = ParseVersionValue(ViewOf(tree.value()));
  if (!last.has_value()) return RecordDamaged("the versions that were dropped", "a version has 8 bytes");
  if (*last < version) return std::nullopt;
  return Run{.first = *first, .last = *last};
}

absl::Status RocksDbDatabase::Missing(Version version) const {
  const auto dropped = FindDropped(version, *Iterate(Family::kTree));
  if (!dropped.ok()) return dropped.status();
  return dropped->has_value() ? SnapshotEvicted(version) : SnapshotUnknown(version);
}

absl::StatusOr<std::vector<BranchRecord>> RocksDbDatabase::ReadBranches() const {
  std::vector<BranchRecord> branches;
  const std::unique_ptr<rocksdb::Iterator> rows = Iterate(Family::kBranches);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    absl::StatusOr<BranchRecord> branch = DecodeBranch(ViewOf(rows->key()), ViewOf(rows->value()));
    if (!branch.ok()) return branch.status();
    branches.push_back(*std::move(branch));
  }
  if (!rows->status().ok()) return ReadError(rows->status(), "the branches");
  return branches;
}

absl::StatusOr<std::vector<RequestRecord>> RocksDbDatabase::ReadRequests() const {
  std::vector<RequestRecord> requests;
  const std::unique_ptr<rocksdb::Iterator> rows = Iterate(Family::kRequests);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    absl::StatusOr<RequestRecord> request = DecodeRequest(ViewOf(rows->value()));
    if (!request.ok()) return request.status();
    requests.push_back(*std::move(request));
  }
  if (!rows->status().ok()) return ReadError(rows->status(), "the remembered requests");
  return requests;
}

absl::StatusOr<Version> RocksDbDatabase::ReadReservedEnd() const {
  const auto value = Get(Family::kMeta, kReservedEndKey, "the last version number");
  if (!value.ok()) return value.status();
  if (!value->has_value()) return Version(1);
  const std::optional<Version> end = ParseVersionValue(**value);
  if (!end.has_value()) return RecordDamaged("the last version number", "a version has 8 bytes");
  return *end;
}

absl::StatusOr<std::vector<ModelRevisionRecord>> RocksDbDatabase::ReadModelRevisions() const {
  std::vector<ModelRevisionRecord> records;
  const std::unique_ptr<rocksdb::Iterator> rows = Iterate(Family::kMeta);
  for (rows->Seek(kModelRevisionPrefix);
       rows->Valid() && absl::StartsWith(ViewOf(rows->key()), kModelRevisionPrefix); rows->Next()) {
    absl::StatusOr<ModelRevisionRecord> record = DecodeModelRevision(ViewOf(rows->value()));
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  if (!rows->status().ok()) return ReadError(rows->status(), "the revisions of models");
  return records;
}

std::unique_ptr<rocksdb::Iterator> RocksDbDatabase::Iterate(Family family,
                                                            const rocksdb::Snapshot* view) const {
  return absl::WrapUnique(db_->NewIterator(ReadOptionsOf(view), this->family(family)));
}

rocksdb::Status RocksDbDatabase::Write(rocksdb::WriteBatch& batch) {
  if (failed_.ok()) failed_ = db_->Write(rocksdb::WriteOptions(), &batch);
  return failed_;
}

rocksdb::Status RocksDbDatabase::Sync() {
  // Before it is synced, so that all of it is.
  std::unique_ptr<rocksdb::LogFile> log;
  if (failed_.ok()) failed_ = db_->GetCurrentWalFile(&log);
  if (failed_.ok()) failed_ = db_->SyncWAL();
  if (failed_.ok()) mark_->SetLog(log->LogNumber(), log->SizeFileBytes());
  return failed_;
}

}  // namespace stepwell
