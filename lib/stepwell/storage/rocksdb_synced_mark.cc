#include "stepwell/storage/rocksdb_synced_mark.h"

#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "rocksdb/env.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_checksum.h"

namespace stepwell {
namespace {

constexpr char kSyncedFile[] = "SYNCED";

// Always as long, and well below a sector: the disk has this line or the one before.
std::string LineOf(const SyncedEnds& ends) {
  std::string line = absl::StrCat("manifest ", absl::Dec(ends.manifest_number, absl::kZeroPad20), " ",
                                  absl::Dec(ends.manifest_bytes, absl::kZeroPad20), " log ",
                                  absl::Dec(ends.log_number, absl::kZeroPad20), " ",
                                  absl::Dec(ends.log_bytes, absl::kZeroPad20));
  const auto bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(line.data()), line.size());
  absl::StrAppend(&line, " xxh3 ", absl::Hex(Checksum({bytes}), absl::kZeroPad16), "\n");
  return line;
}

std::optional<SyncedEnds> ParseLine(const std::string& line) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ');
  SyncedEnds ends;
  if (words.size() != 8 || !absl::SimpleAtoi(words[1], &ends.manifest_number) ||
      !absl::SimpleAtoi(words[2], &ends.manifest_bytes) || !absl::SimpleAtoi(words[4], &ends.log_number) ||
      !absl::SimpleAtoi(words[5], &ends.log_bytes) || LineOf(ends) != line) {
    return std::nullopt;
  }
  return ends;
}

}  // namespace

absl::StatusOr<std::optional<SyncedEnds>> SyncedMark::Read(const std::string& directory, rocksdb::Env* env) {
  const std::string path = absl::StrCat(directory, "/", kSyncedFile);
  if (env->FileExists(path).IsNotFound()) return std::nullopt;
  std::string line;
  const rocksdb::Status read = rocksdb::ReadFileToString(env, path, &line);
  if (!read.ok()) return StoreReadFailed(path, read.ToString());
  const std::optional<SyncedEnds> ends = ParseLine(line);
  if (ends.has_value()) return ends;
  return SyncedEnds{SyncedEnds::kAll, SyncedEnds::kAll, SyncedEnds::kAll, SyncedEnds::kAll};
}

absl::StatusOr<std::unique_ptr<SyncedMark>> SyncedMark::Open(const std::string& directory,
                                                             const SyncedEnds& ends, rocksdb::Env* env) {
  const std::string path = absl::StrCat(directory, "/", kSyncedFile);
  rocksdb::Status opened;
  if (env->FileExists(path).IsNotFound()) {
    // As a whole or not at all.
    const std::string file = absl::StrCat(path, ".new");
    opened = rocksdb::WriteStringToFile(env, LineOf(ends), file, /*should_sync=*/true);
    if (opened.ok()) opened = env->RenameFile(file, path);
  }
  std::unique_ptr<rocksdb::RandomRWFile> file;
  if (opened.ok()) opened = env->NewRandomRWFile(path, &file, rocksdb::EnvOptions());
  if (!opened.ok()) return DirectoryNotWritable(directory, opened.ToString());
  auto mark = absl::WrapUnique(new SyncedMark(ends, std::move(file)));
  absl::MutexLock lock(&mark->mutex_);
  mark->Write();
  return mark;
}

SyncedMark::SyncedMark(const SyncedEnds& ends, std::unique_ptr<rocksdb::RandomRWFile> file)
    : ends_(ends), file_(std::move(file)) {}

SyncedMark::~SyncedMark() = default;

void SyncedMark::SetLog(uint64_t number, uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  ends_.log_number = number;
  ends_.log_bytes = bytes;
  Write();
}

void SyncedMark::SetManifest(uint64_t number, uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  ends_.manifest_number = number;
  ends_.manifest_bytes = bytes;
  Write();
}

void SyncedMark::Write() { file_->Write(0, LineOf(ends_)).PermitUncheckedError(); }

}  // namespace stepwell
