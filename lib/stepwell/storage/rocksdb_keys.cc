#include "stepwell/storage/rocksdb_keys.h"

#include <cstddef>
#include <cstdint>

namespace stepwell {
namespace {

constexpr char kDropped = 'd';
constexpr char kEdge = 'e';
constexpr char kOrphan = 'o';
constexpr char kPlace = 'p';

constexpr size_t kVersionBytes = 8;
constexpr size_t kPositionBytes = 4;

template <typename T>
void AppendBigEndian(T number, std::string& key) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>((number >> shift) & 0xff));
  }
}

void AppendVersion(Version version, std::string& key) {
  AppendBigEndian(static_cast<uint64_t>(version.value()), key);
}

void AppendPosition(int position, std::string& key) { AppendBigEndian(static_cast<uint32_t>(position), key); }

// Of the first bytes of `key`, which has as many.
Version ReadVersion(absl::string_view key) {
  uint64_t number = 0;
  for (size_t i = 0; i < kVersionBytes; ++i) number = number << 8 | static_cast<unsigned char>(key[i]);
  return Version(static_cast<int64_t>(number));
}

int ReadPosition(absl::string_view key) {
  uint32_t number = 0;
  for (size_t i = 0; i < kPositionBytes; ++i) number = number << 8 | static_cast<unsigned char>(key[i]);
  return static_cast<int>(number);
}

}  // namespace

std::string SnapshotKey(Version version) { return VersionValue(version); }

Version SnapshotKeyVersion(absl::string_view key) { return ReadVersion(key); }

std::string ArrayKey(Version writer, int position) {
  std::string key;
  AppendVersion(writer, key);
  AppendPosition(position, key);
  return key;
}

std::string RequestKey(absl::Time time, absl::string_view id) {
  std::string key;
  // With the sign turned over, times before 1970 come first.
  AppendBigEndian(static_cast<uint64_t>(absl::ToUnixMicros(time)) ^ (uint64_t{1} << 63), key);
  key.append(id.data(), id.size());
  return key;
}

std::string PlaceKey(Version version) {
  std::string key(1, kPlace);
  AppendVersion(version, key);
  return key;
}

std::string EdgeKey(Version parent, Version child) {
  std::string key = EdgePrefix(parent);
  AppendVersion(child, key);
  return key;
}

std::string EdgePrefix(Version parent) {
  std::string key(1, kEdge);
  AppendVersion(parent, key);
  return key;
}

Version EdgeKeyChild(absl::string_view key) { return ReadVersion(key.substr(1 + kVersionBytes)); }

std::string OrphanKey(Version writer, int position) {
  std::string key(1, kOrphan);
  AppendVersion(writer, key);
  AppendPosition(position, key);
  return key;
}

std::string DroppedKey(Version first) {
  std::string key(1, kDropped);
  AppendVersion(first, key);
  return key;
}

std::optional<Version> DroppedKeyFirst(absl::string_view key) {
  if (key.size() != 1 + kVersionBytes || key[0] != kDropped) return std::nullopt;
  return ReadVersion(key.substr(1));
}

std::optional<TreeKey> ParseTreeKey(absl::string_view key) {
  if (key.size() < 1 + kVersionBytes) return std::nullopt;
  const Version version = ReadVersion(key.substr(1));
  const absl::string_view rest = key.substr(1 + kVersionBytes);
  switch (key[0]) {
    case kPlace:
      if (rest.empty()) return TreeKey{.kind = TreeKey::Kind::kPlace, .version = version};
      break;
    case kDropped:
      if (rest.empty()) return TreeKey{.kind = TreeKey::Kind::kDropped, .version = version};
      break;
    case kEdge:
      if (rest.size() != kVersionBytes) break;
      return TreeKey{.kind = TreeKey::Kind::kEdge, .version = version, .child = ReadVersion(rest)};
    case kOrphan:
      if (rest.size() != kPositionBytes) break;
      return TreeKey{.kind = TreeKey::Kind::kOrphan, .version = version, .position = ReadPosition(rest)};
  }
  return std::nullopt;
}

std::string ModelRevisionKey(absl::string_view model, int64_t revision) {
  std::string key = kModelRevisionPrefix;
  key.append(model.data(), model.size());
  key.push_back('\0');
  AppendBigEndian(static_cast<uint64_t>(revision), key);
  return key;
}

std::string VersionValue(Version version) {
  std::string value;
  AppendVersion(version, value);
  return value;
}

std::optional<Version> ParseVersionValue(absl::string_view value) {
  if (value.size() != kVersionBytes) return std::nullopt;
  return ReadVersion(value);
}

}  // namespace stepwell
