#include "stepwell/storage/rocksdb_codec.h"

#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_keys.h"

namespace stepwell {
namespace {

std::string ValueOf(Version writer, int position, const Array& array,
                    std::optional<Version> previous = std::nullopt) {
  std::string value = EncodeArrayHeader(writer, position, array, previous);
  value.append(reinterpret_cast<const char*>(array.bytes().data()), array.bytes().size());
  return value;
}

TEST(RocksDbCodec, ArrayIsReadAsItWasWritten) {
  std::vector<float> elements(6);
  std::iota(elements.begin(), elements.end(), 1.0F);
  const Array array = Array::From<float>({2, 3}, elements).value();
  const auto read = DecodeArray(Version(5), 2, ValueOf(Version(5), 2, array, Version(3)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->array, array);
  EXPECT_EQ(read->previous, Version(3));
  EXPECT_EQ(DecodeArray(Version(5), 2, ValueOf(Version(5), 2, array))->previous, std::nullopt);
}

TEST(RocksDbCodec, EveryChangedBitOfAnArrayIsSeen) {
  const std::string value = ValueOf(Version(5), 2, Array::Scalar<int64_t>(-1), Version(3));
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string changed = value;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const auto read = DecodeArray(Version(5), 2, changed);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << bit;
    EXPECT_EQ(GetErrorInfo(read.status()).reason, "ARRAY_DAMAGED");
  }
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(DecodeArray(Version(5), 2, value.substr(0, size)).ok()) << size;
  }
}

TEST(RocksDbCodec, ArrayUnderTheKeyOfAnotherIsSeen) {
  const std::string value = ValueOf(Version(5), 2, Array::Scalar<int64_t>(-1));
  EXPECT_FALSE(DecodeArray(Version(6), 2, value).ok());
  EXPECT_FALSE(DecodeArray(Version(5), 1, value).ok());
}

TEST(RocksDbCodec, RecordsThatDoNotParseAreDataLoss) {
  const std::string text = "\xff\xff\xff";
  const auto expect_damaged = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(GetErrorInfo(status).reason, "RECORD_DAMAGED");
  };
  expect_damaged(DecodeSnapshot(Version(1), text).status());
  expect_damaged(DecodePlace(Version(1), text).status());
  expect_damaged(DecodeOrphan(Version(1), 0, text).status());
  expect_damaged(DecodeBranch("live", text).status());
  expect_damaged(DecodeBranch("live", EncodeBranch({.name = "other"})).status());
  expect_damaged(DecodeRequest(text).status());
  expect_damaged(DecodeModelRevision(text).status());
  expect_damaged(DecodeModelRevision(EncodeModelRevision({"m", 1, "", {{"x", DType{99}, {}}}})).status());
  // A snapshot that says that it wrote an array, and not how large that is.
  SnapshotRow row;
  row.record.version = Version(1);
  row.record.origin = std::make_shared<const SnapshotOrigin>();
  row.record.writers = {Version(1)};
  expect_damaged(DecodeSnapshot(Version(1), EncodeSnapshot(row)).status());
}

TEST(RocksDbKeys, StandInTheOrderOfVersionsAndTimes) {
  const Version small(255), large(256);
  EXPECT_LT(SnapshotKey(small), SnapshotKey(large));
  EXPECT_EQ(SnapshotKeyVersion(SnapshotKey(large)), large);
  EXPECT_LT(ArrayKey(small, 256), ArrayKey(large, 0));
  EXPECT_LT(ArrayKey(small, 255), ArrayKey(small, 256));
  EXPECT_LT(EdgeKey(small, large), EdgeKey(large, small));
  EXPECT_EQ(EdgeKeyChild(EdgeKey(small, large)), large);
  EXPECT_EQ(DroppedKeyFirst(DroppedKey(large)), large);
  EXPECT_EQ(DroppedKeyFirst(PlaceKey(large)), std::nullopt);
  EXPECT_EQ(ParseVersionValue(VersionValue(large)), large);
  EXPECT_EQ(ParseVersionValue("1234567"), std::nullopt);
  const absl::Time before = absl::UnixEpoch() - absl::Seconds(1), after = absl::UnixEpoch();
  EXPECT_LT(RequestKey(before, "b"), RequestKey(after, "a"));
  EXPECT_LT(RequestKey(after, "a"), RequestKey(after + absl::Microseconds(1), ""));
}

}  // namespace
}  // namespace stepwell
