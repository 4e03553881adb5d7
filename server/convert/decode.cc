#include "server/convert/decode.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"

namespace stepwell::server {

absl::StatusOr<DType> DecodeDType(v1::DType dtype) {
  if (dtype != v1::DTYPE_UNSPECIFIED && v1::DType_IsValid(dtype)) return static_cast<DType>(dtype);
  return absl::InvalidArgumentError(absl::StrCat("dtype is ", static_cast<int>(dtype),
                                                 "; expected one of stepwell.v1.DType, from 1 to ",
                                                 v1::DType_MAX));
}

absl::StatusOr<Array> DecodeArray(absl::string_view what, absl::string_view name, v1::Array&& message) {
  const absl::StatusOr<DType> dtype = DecodeDType(message.dtype());
  absl::StatusOr<Array> array =
      dtype.ok() ? Array::Make(*dtype, message.shape(), Buffer::Adopt(std::move(*message.mutable_data())))
                 : dtype.status();
  if (array.ok()) return array;
  return absl::InvalidArgumentError(
      absl::StrCat(what, " \"", absl::CHexEscape(name), "\": ", array.status().message()));
}

absl::StatusOr<NamedArrays> DecodeNamedArrays(absl::string_view what,
                                              google::protobuf::RepeatedPtrField<v1::NamedArray>&& messages) {
  NamedArrays arrays;
  arrays.reserve(static_cast<size_t>(messages.size()));
  for (v1::NamedArray& message : messages) {
    absl::StatusOr<Array> array = DecodeArray(what, message.name(), std::move(*message.mutable_array()));
    if (!array.ok()) return array.status();
    arrays.emplace_back(std::move(*message.mutable_name()), *std::move(array));
  }
  return arrays;
}

absl::StatusOr<RevisionChoice> DecodeRevision(const v1::RevisionChoice& message) {
  switch (message.revision_case()) {
    case v1::RevisionChoice::kNewest:
      if (message.newest()) return NewestRevision();
      return absl::InvalidArgumentError("revision.newest is false; expected true, or another choice");
    case v1::RevisionChoice::kNumber:
      return message.number();
    case v1::RevisionChoice::REVISION_NOT_SET:
      break;
  }
  return SameRevision();
}

absl::StatusOr<Version> DecodeVersion(absl::string_view field, int64_t version) {
  if (version > 0) return Version(version);
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", version, "; expected a version, which is positive"));
}

absl::StatusOr<StateRef> DecodeStateRef(v1::StateRef&& message, absl::string_view field) {
  switch (message.state_case()) {
    case v1::StateRef::kVersion: {
      const absl::StatusOr<Version> version =
          DecodeVersion(absl::StrCat(field, ".version"), message.version());
      if (!version.ok()) return version.status();
      return StateRef(*version);
    }
    case v1::StateRef::kBranch:
      return StateRef(BranchName{std::move(*message.mutable_branch())});
    case v1::StateRef::STATE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(field, " is not set; expected a version or a branch"));
}

std::string NameOf(const v1::Index& index) {
  return index.has_position() ? absl::StrCat(index.position()) : index.path();
}

absl::StatusOr<Index> DecodeIndex(v1::Index&& message) {
  switch (message.index_case()) {
    case v1::Index::kPath:
      return Index(IndexPath{std::move(*message.mutable_path())});
    case v1::Index::kPosition:
      return Index(IndexPosition{message.position()});
    case v1::Index::kSubtree:
      return Index(IndexSubtree{std::move(*message.mutable_subtree())});
    case v1::Index::INDEX_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("index is not set; expected a path, a position or a subtree");
}

absl::StatusOr<std::vector<ArraySelector>> DecodeSelectors(
    google::protobuf::RepeatedPtrField<v1::ArraySelector>&& messages) {
  std::vector<ArraySelector> selectors;
  selectors.reserve(static_cast<size_t>(messages.size()));
  for (v1::ArraySelector& message : messages) {
    absl::StatusOr<Index> index = DecodeIndex(std::move(*message.mutable_index()));
    if (!index.ok()) return index.status();
    ArraySelector& selector = selectors.emplace_back();
    selector.index = *std::move(index);
    for (const v1::Slice& slice : message.slices()) {
      Slice& decoded = selector.slices.emplace_back();
      if (slice.has_start()) decoded.start = slice.start();
      if (slice.has_stop()) decoded.stop = slice.stop();
      if (slice.has_step()) decoded.step = slice.step();
    }
  }
  return selectors;
}

absl::StatusOr<std::optional<Durability>> DecodeDurability(v1::Durability durability) {
  switch (durability) {
    case v1::DURABILITY_UNSPECIFIED:
      return std::nullopt;
    case v1::DURABILITY_ASYNC:
      return Durability::kAsync;
    case v1::DURABILITY_SYNC:
      return Durability::kSync;
    default:
      return absl::InvalidArgumentError(absl::StrCat("durability is ", static_cast<int>(durability),
                                                     "; expected one of stepwell.v1.Durability, from 0 to ",
                                                     v1::Durability_MAX));
  }
}

absl::StatusOr<absl::Time> DecodeTime(absl::string_view field, const google::protobuf::Timestamp& time) {
  constexpr int64_t kBegin = -62135596800;  // Year 1, as timestamp.proto says.
  constexpr int64_t kEnd = 253402300800;    // Year 10000.
  if (time.seconds() >= kBegin && time.seconds() < kEnd && time.nanos() >= 0 &&
      time.nanos() < 1'000'000'000) {
    return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, " has ", time.seconds(), " seconds and ", time.nanos(),
                   " nanos; expected a time between the years 1 and 9999, with 0 to 999999999 nanos"));
}

absl::StatusOr<absl::Duration> DecodeDuration(absl::string_view field,
                                              const google::protobuf::Duration& duration) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;  // 10,000 years, as duration.proto says.
  const auto [seconds, nanos] = std::pair(duration.seconds(), int64_t{duration.nanos()});
  const bool one_sign = (seconds >= 0 && nanos >= 0) || (seconds <= 0 && nanos <= 0);
  if (one_sign && seconds >= -kMaxSeconds && seconds <= kMaxSeconds && nanos > -1'000'000'000 &&
      nanos < 1'000'000'000) {
    return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, " has ", seconds, " seconds and ", nanos,
      " nanos; expected at most 10000 years, with -999999999 to 999999999 nanos of the same sign"));
}

absl::StatusOr<RetentionPolicy> DecodeRetention(const v1::RetentionPolicy& message) {
  RetentionPolicy policy;
  if (message.has_keep_last()) policy.keep_last = message.keep_last();
  if (message.has_keep_every()) policy.keep_every = message.keep_every();
  if (message.has_max_age()) {
    const absl::StatusOr<absl::Duration> max_age = DecodeDuration("retention.max_age", message.max_age());
    if (!max_age.ok()) return max_age.status();
    policy.max_age = *max_age;
  }
  return policy;
}

absl::StatusOr<std::vector<bool>> DecodeUpdateMask(const google::protobuf::FieldMask& mask,
                                                   absl::Span<const absl::string_view> fields) {
  std::vector<bool> has(fields.size(), false);
  for (const std::string& path : mask.paths()) {
    const auto field = std::ranges::find(fields, path);
    if (field == fields.end()) {
      return absl::InvalidArgumentError(absl::StrCat("update_mask has \"", absl::CHexEscape(path),
                                                     "\"; expected ", absl::StrJoin(fields, " or ")));
    }
    has[static_cast<size_t>(field - fields.begin())] = true;
  }
  return has;
}

Labels DecodeLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  return Labels(labels.begin(), labels.end());
}

}  // namespace stepwell::server
