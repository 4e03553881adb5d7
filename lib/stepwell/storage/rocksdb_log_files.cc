#include "stepwell/storage/rocksdb_log_files.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_checksum.h"
#include "stepwell/storage/rocksdb_synced_mark.h"

namespace stepwell {
namespace {

// The format of a log: blocks of 32 KiB, in which fragments of records stand, each with a header of its
// CRC-32C (masked, of the type and what follows), its length and its type. What is left of a block when no
// header fits is skipped.
constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;
enum FragmentType : unsigned char { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t ReadNumber(absl::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return number;
}

uint32_t Mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8; }

// Walks over the fragments of a file, block by block.
class FragmentWalk {
 public:
  // The block that begins at `offset`. False: here something is no fragment of a record.
  bool Walk(uint64_t offset, absl::string_view block) {
    size_t at = 0;
    while (kBlockBytes - at >= kHeaderBytes && at < block.size()) {
      const absl::string_view rest = block.substr(at);
      if (rest.size() < kHeaderBytes) return false;
      const size_t length = ReadNumber(rest.substr(4, 2));
      const unsigned char type = static_cast<unsigned char>(rest[6]);
      if (rest.size() - kHeaderBytes < length) return false;
      if (Mask(Crc32c(rest.substr(6, 1 + length))) != ReadNumber(rest.substr(0, 4))) return false;
      const bool begins = type == kFull || type == kFirst;
      const bool ends = type == kFull || type == kLast;
      if (type < kFull || type > kLast || begins == inside_) return false;
      inside_ = !ends;
      at += kHeaderBytes + length;
      if (ends) readable_ = offset + at;
    }
    return true;
  }

  // Behind the last record that is whole.
  uint64_t readable() const { return readable_; }

 private:
  bool inside_ = false;  // A record.
  uint64_t readable_ = 0;
};

std::string DamageOf(const LogTail& tail, absl::string_view expected) {
  return absl::StrCat("its file \"", tail.path, "\" can be read up to byte ", tail.readable, " of ",
                      tail.size, "; expected ", expected);
}

// The numbers of the logs, ascending.
absl::StatusOr<std::vector<uint64_t>> ListLogs(const std::string& directory, rocksdb::Env* env) {
  std::vector<std::string> files;
  const rocksdb::Status listed = env->GetChildren(directory, &files);
  if (!listed.ok()) return StoreReadFailed(absl::StrCat("\"", directory, "\""), listed.ToString());
  std::vector<uint64_t> logs;
  for (absl::string_view file : files) {
    uint64_t number = 0;
    if (absl::ConsumeSuffix(&file, ".log") && absl::SimpleAtoi(file, &number)) logs.push_back(number);
  }
  std::ranges::sort(logs);
  return logs;
}

std::string LogPath(const std::string& directory, uint64_t number) {
  return absl::StrCat(directory, "/", absl::Dec(number, absl::kZeroPad6), ".log");
}

absl::Status InspectManifest(const std::string& directory, const SyncedEnds& synced, rocksdb::Env* env,
                             LogInspection& inspection) {
  const std::string current_path = absl::StrCat(directory, "/CURRENT");
  std::string current;
  const rocksdb::Status read = rocksdb::ReadFileToString(env, current_path, &current);
  ++inspection.checked;
  if (!read.ok()) return StoreReadFailed(current_path, read.ToString());
  absl::string_view digits = current;
  uint64_t number = 0;
  LogTail tail;
  if (!absl::ConsumeSuffix(&digits, "\n") || !absl::ConsumePrefix(&digits, "MANIFEST-") ||
      !absl::SimpleAtoi(digits, &number)) {
    inspection.damages.push_back(absl::StrCat("its file \"", current_path, "\" names no MANIFEST"));
    return absl::OkStatus();
  }
  const std::string path = absl::StrCat(directory, "/", absl::StripSuffix(current, "\n"));
  const bool all = synced.manifest_number == SyncedEnds::kAll;
  if (!env->FileExists(path).ok() || (!all && number < synced.manifest_number)) {
    inspection.damages.push_back(absl::StrCat("its file \"", current_path, "\" names ",
                                              absl::StripSuffix(current, "\n"), "; expected the one in use"));
    return absl::OkStatus();
  }
  // Of one that was begun since nothing is known but what RocksDB finds.
  if (!all && number != synced.manifest_number) return absl::OkStatus();
  const rocksdb::Status measured = MeasureLog(path, env, tail);
  ++inspection.checked;
  if (!measured.ok()) return StoreReadFailed(path, measured.ToString());
  if (tail.readable == tail.size && (all || tail.size >= synced.manifest_bytes)) return absl::OkStatus();
  if (tail.readable < synced.manifest_bytes) {
    inspection.damages.push_back(
        DamageOf(tail, all ? "all of it" : absl::StrCat("at least ", synced.manifest_bytes)));
  } else {
    inspection.torn.push_back(std::move(tail));
  }
  return absl::OkStatus();
}

absl::Status InspectLog(const std::string& directory, uint64_t number, const SyncedEnds& synced,
                        rocksdb::Env* env, LogInspection& inspection) {
  LogTail tail;
  const std::string path = LogPath(directory, number);
  const rocksdb::Status measured = MeasureLog(path, env, tail);
  ++inspection.checked;
  if (!measured.ok()) return StoreReadFailed(path, measured.ToString());
  if (number < synced.log_number && tail.readable < tail.size) {
    inspection.damages.push_back(DamageOf(tail, "all of it, which is synced"));
  } else if (number == synced.log_number && tail.readable < synced.log_bytes) {
    inspection.damages.push_back(DamageOf(tail, absl::StrCat(synced.log_bytes, " bytes, which are synced")));
  } else if (tail.readable < tail.size) {
    inspection.torn.push_back(std::move(tail));
  }
  return absl::OkStatus();
}

}  // namespace

rocksdb::Status MeasureLog(const std::string& path, rocksdb::Env* env, LogTail& tail) {
  tail.path = path;
  std::unique_ptr<rocksdb::SequentialFile> file;
  rocksdb::Status status = env->NewSequentialFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = env->GetFileSize(path, &tail.size);
  FragmentWalk walk;
  std::string buffer(kBlockBytes, '\0');
  for (uint64_t offset = 0; status.ok() && offset < tail.size; offset += kBlockBytes) {
    rocksdb::Slice block;
    status = file->Read(kBlockBytes, &block, buffer.data());
    if (status.ok() && !walk.Walk(offset, {block.data(), block.size()})) break;
  }
  tail.readable = walk.readable();
  return status;
}

absl::StatusOr<LogInspection> InspectLogs(const std::string& directory, rocksdb::Env* env) {
  const absl::StatusOr<std::optional<SyncedEnds>> known = SyncedMark::Read(directory, env);
  if (!known.ok()) return known.status();
  LogInspection inspection;
  inspection.knows_synced = known->has_value();
  if (!inspection.knows_synced) return inspection;
  const SyncedEnds& synced = **known;
  absl::Status status = InspectManifest(directory, synced, env, inspection);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<uint64_t>> logs = ListLogs(directory, env);
  if (!logs.ok()) return logs.status();
  // One that is not needed any more goes when the next is there.
  if (synced.log_number != SyncedEnds::kAll && (logs->empty() || logs->back() < synced.log_number)) {
    inspection.damages.push_back(
        absl::StrCat("its file \"", LogPath(directory, synced.log_number), "\" is missing"));
  }
  bool is_torn = false;
  for (const uint64_t number : *logs) {
    if (is_torn) {
      inspection.behind_torn.push_back(LogPath(directory, number));
      continue;
    }
    const size_t torn = inspection.torn.size();
    status = InspectLog(directory, number, synced, env, inspection);
    if (!status.ok()) return status;
    is_torn = inspection.torn.size() > torn;
  }
  return inspection;
}

namespace {

// Written anew, as RocksDB's file systems do not truncate.
rocksdb::Status CutOff(const LogTail& tail, rocksdb::Env* env) {
  // RocksDB removes files that are named so, should this be broken off.
  const std::string partial = absl::StrCat(tail.path.substr(0, tail.path.rfind('/')), "/000000.dbtmp");
  std::string bytes;
  rocksdb::Status status = rocksdb::ReadFileToString(env, tail.path, &bytes);
  if (status.ok()) bytes.resize(tail.readable);
  if (status.ok()) status = rocksdb::WriteStringToFile(env, bytes, partial, /*should_sync=*/true);
  if (status.ok()) status = env->RenameFile(partial, tail.path);
  return status;
}

}  // namespace

rocksdb::Status CutTorn(const LogInspection& inspection, rocksdb::Env* env) {
  rocksdb::Status status;
  for (const std::string& path : inspection.behind_torn) {
    if (status.ok()) status = env->DeleteFile(path);
  }
  for (const LogTail& tail : inspection.torn) {
    if (status.ok()) status = CutOff(tail, env);
  }
  return status;
}

}  // namespace stepwell
