#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// What testing/make_golden_store.cc wrote with each format that there was, this build reads.
class RocksDbGolden : public ::testing::TestWithParam<int> {
 protected:
  RocksDbGolden() {
    std::filesystem::copy(absl::StrCat(STEPWELL_SOURCE_DIR, "/tests/data/stores/format_", GetParam()),
                          directory_.path());
    auto opened = RocksDbStore::Open({.path = directory_.path()});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = std::move(opened).value();
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<RocksDbStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Formats, RocksDbGolden, ::testing::Range(1, RocksDbDirectory::kFormat + 1));

TEST_P(RocksDbGolden, StoreIsReadAndWritten) {
  const Version root(1), dropped(2), left(3), right(4), leaf(5), late(6);
  EXPECT_THAT(testing::ScanSnapshots(*store_, Version(100), 100), ElementsAre(late, right, left, root));
  EXPECT_THAT(testing::ScanAncestors(*store_, late, 100).value(), ElementsAre(late, left, root));
  EXPECT_EQ(GetErrorInfo(testing::ReadSnapshot(*store_, dropped).status()).reason, "SNAPSHOT_EVICTED");
  EXPECT_EQ(GetErrorInfo(testing::ReadSnapshot(*store_, leaf).status()).reason, "SNAPSHOT_EVICTED");

  const auto record = testing::ReadSnapshot(*store_, left);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ((*record)->parent, dropped);
  EXPECT_EQ(*(*record)->origin, (SnapshotOrigin{"model", 2, "step"}));
  EXPECT_EQ((*record)->create_time, testing::kTime + absl::Seconds(3));
  EXPECT_EQ((*record)->step_count, 2);
  EXPECT_THAT(*(*record)->labels, ElementsAre(Pair("version", "3")));
  EXPECT_THAT((*record)->writers, ElementsAre(left, root, left));
  const auto pinned = testing::ReadSnapshot(*store_, right);
  EXPECT_TRUE((*pinned)->pinned);
  EXPECT_THAT(*(*pinned)->labels, ElementsAre(Pair("kept", "yes")));

  EXPECT_EQ(testing::ReadArray(*store_, left, 0).value(), Array::Scalar<int32_t>(3));
  const auto blob = testing::ReadArray(*store_, root, 1);
  EXPECT_EQ(blob.value(), Array::From<float>({64, 64}, std::vector<float>(4096, 1.0F)).value());
  EXPECT_EQ(testing::ReadArray(*store_, late, 2).value(),
            Array::From<int32_t>({4}, std::vector<int32_t>{1, 2, 3, 6}).value());

  const auto branch = testing::ReadBranch(*store_, "live");
  ASSERT_TRUE(branch.ok()) << branch.status();
  EXPECT_EQ(branch->head, left);
  EXPECT_EQ(branch->update_time, testing::kTime + absl::Seconds(1));
  EXPECT_EQ(branch->expire_time, testing::kTime + absl::Hours(1));
  const auto request = testing::ReadRequest(*store_, "request", testing::kTime);
  ASSERT_NE(*request, nullptr);
  EXPECT_EQ((*request)->digest, "digest");
  EXPECT_THAT((*request)->versions, ElementsAre(left));

  EXPECT_EQ(testing::Reserve(*store_).value(), Version(7));
  EXPECT_EQ(testing::Drop(*store_, {late}).value(), 8);
  // Its small array. The others are those of its children still, which begin with its parts.
  EXPECT_EQ(testing::Drop(*store_, {root}).value(), 4);
  EXPECT_TRUE(testing::ReadArray(*store_, right, 2).ok());
  EXPECT_EQ(GetErrorInfo(testing::ReadSnapshot(*store_, late).status()).reason, "SNAPSHOT_EVICTED");
}

}  // namespace
}  // namespace stepwell
