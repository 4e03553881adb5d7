// Space on the disk comes back while a store is used: a history of which the past is dropped takes no more
// than a part of what was ever written.
#include <algorithm>
#include <deque>
#include <filesystem>
#include <random>

#include "gtest/gtest.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using testing::Commit;
using testing::Drop;
using testing::Reserve;

int64_t BytesIn(const fs::path& folder) {
  int64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    std::error_code gone;  // A compaction may remove it meanwhile.
    const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

// Of one array of random bytes, which no compression makes less of.
std::shared_ptr<const StoredSnapshot> MakeVersion(Version version, std::optional<Version> parent,
                                                  int64_t bytes, std::mt19937_64& random) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  snapshot->record.version = version;
  snapshot->record.parent = parent;
  snapshot->record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"model", 1, "step"});
  snapshot->record.create_time = testing::kTime;
  snapshot->record.writers = {version};
  std::vector<uint64_t> words(static_cast<size_t>(bytes) / sizeof(uint64_t));
  std::ranges::generate(words, [&random] { return random(); });
  snapshot->written.push_back(Array::From<uint64_t>({std::ssize(words)}, words).value());
  return snapshot;
}

class RocksDbSpace : public ::testing::TestWithParam<int64_t> {};

INSTANTIATE_TEST_SUITE_P(OfArrays, RocksDbSpace, ::testing::Values(1024, 32768),
                         [](const auto& test) { return test.param < 4096 ? "InTables" : "InBlobFiles"; });

TEST_P(RocksDbSpace, ComesBackWhileOldVersionsAreDroppedAndNewOnesMade) {
  // Compactions come when they come: at the latest, when so much was written.
  constexpr int64_t kEnough = int64_t{64} << 20;
  constexpr int64_t kTooMuch = int64_t{1} << 30;
  constexpr size_t kKept = 200;
  const int64_t versions_in_batch = (4 << 20) / GetParam();
  const testing::TemporaryDirectory directory;
  const auto store = RocksDbStore::Open({.path = directory.path()}).value();
  std::mt19937_64 random(1);
  std::deque<Version> versions;
  int64_t written = 0;
  for (; written < kEnough || BytesIn(directory.path()) > written / 2;
       written += versions_in_batch * GetParam()) {
    ASSERT_LT(written, kTooMuch) << "and " << BytesIn(directory.path()) << " are still there";
    CommitBatch batch;
    for (int64_t i = 0; i < versions_in_batch; ++i) {
      const Version version = Reserve(*store).value();
      const auto parent = versions.empty() ? std::nullopt : std::make_optional(versions.back());
      batch.snapshots.push_back(MakeVersion(version, parent, GetParam(), random));
      versions.push_back(version);
    }
    ASSERT_TRUE(Commit(*store, std::move(batch), Durability::kSync).ok());
    std::vector<Version> old;
    for (; versions.size() > kKept; versions.pop_front()) old.push_back(versions.front());
    ASSERT_TRUE(Drop(*store, std::move(old)).ok());
  }
}

}  // namespace
}  // namespace stepwell
