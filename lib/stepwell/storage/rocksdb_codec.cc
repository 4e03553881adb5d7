#include "stepwell/storage/rocksdb_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/array/dtype.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_checksum.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/stored.pb.h"

namespace stepwell {
namespace {

// Absl's times are finer than a nanosecond; what is stored is not.
google::protobuf::Timestamp EncodeTimestamp(absl::Time time) {
  google::protobuf::Timestamp message;
  const int64_t seconds = absl::ToUnixSeconds(time);  // Rounds down.
  message.set_seconds(seconds);
  message.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return message;
}

absl::Time DecodeTimestamp(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

template <typename Message>
std::string Serialize(const Message& message) {
  return message.SerializeAsString();
}

template <typename Message>
bool Parse(absl::string_view value, Message& message) {
  return message.ParseFromArray(value.data(), static_cast<int>(value.size()));
}

bool IsDType(int32_t number) {
  return std::ranges::any_of(kAllDTypes,
                             [number](DType dtype) { return static_cast<int32_t>(dtype) == number; });
}

std::optional<Version> OptionalVersion(int64_t value) {
  return value == 0 ? std::nullopt : std::make_optional(Version(value));
}

int64_t OrZero(std::optional<Version> version) { return version.value_or(Version(0)).value(); }

// Writers and chains are the same fields of a snapshot and of a skeleton.
template <typename Message>
void EncodeWriters(const SnapshotRecord& record, Message& message) {
  message.mutable_writers()->Reserve(static_cast<int>(record.writers.size()));
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    message.add_writers(record.writers[static_cast<size_t>(position)].value());
    const ArrayChain* const chain = record.chains.Find(position);
    if (chain == nullptr) continue;
    stored::Chain& stored = *message.add_chains();
    stored.set_position(position);
    stored.set_first(chain->first.value());
    stored.set_previous(chain->previous.value());
  }
}

template <typename Message>
void DecodeWriters(const Message& message, SnapshotRecord& record) {
  for (const int64_t writer : message.writers()) record.writers.emplace_back(writer);
  for (const stored::Chain& chain : message.chains()) {
    record.chains.Append(chain.position(), Version(chain.first()));
    if (chain.previous() != chain.first()) record.chains.Append(chain.position(), Version(chain.previous()));
  }
}

template <typename Map>
Labels DecodeLabels(const Map& map) {
  return Labels(map.begin(), map.end());
}

stored::RetentionPolicy RetentionMessage(const RetentionPolicy& policy) {
  stored::RetentionPolicy message;
  if (policy.keep_last.has_value()) message.set_keep_last(*policy.keep_last);
  if (policy.keep_every.has_value()) message.set_keep_every(*policy.keep_every);
  if (policy.max_age.has_value()) {
    absl::Duration rest;
    message.mutable_max_age()->set_seconds(absl::IDivDuration(*policy.max_age, absl::Seconds(1), &rest));
    message.mutable_max_age()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  }
  return message;
}

RetentionPolicy RetentionOf(const stored::RetentionPolicy& message) {
  RetentionPolicy policy;
  if (message.has_keep_last()) policy.keep_last = message.keep_last();
  if (message.has_keep_every()) policy.keep_every = message.keep_every();
  if (message.has_max_age()) {
    policy.max_age =
        absl::Seconds(message.max_age().seconds()) + absl::Nanoseconds(message.max_age().nanos());
  }
  return policy;
}

stored::Branch BranchMessage(const BranchRecord& branch) {
  stored::Branch message;
  message.set_name(branch.name);
  message.set_model(branch.model);
  message.set_head(branch.head.value());
  *message.mutable_create_time() = EncodeTimestamp(branch.create_time);
  *message.mutable_update_time() = EncodeTimestamp(branch.update_time);
  if (branch.expire_time != absl::InfiniteFuture()) {
    *message.mutable_expire_time() = EncodeTimestamp(branch.expire_time);
  }
  message.mutable_labels()->insert(branch.labels.begin(), branch.labels.end());
  if (branch.retention.has_value()) *message.mutable_retention() = RetentionMessage(*branch.retention);
  return message;
}

BranchRecord BranchOf(const stored::Branch& message) {
  return {
      .name = message.name(),
      .model = message.model(),
      .head = Version(message.head()),
      .create_time = DecodeTimestamp(message.create_time()),
      .update_time = DecodeTimestamp(message.update_time()),
      .expire_time =
          message.has_expire_time() ? DecodeTimestamp(message.expire_time()) : absl::InfiniteFuture(),
      .labels = DecodeLabels(message.labels()),
      .retention = message.has_retention() ? std::optional(RetentionOf(message.retention())) : std::nullopt};
}

stored::Snapshot SnapshotMessage(const SnapshotRecord& record) {
  stored::Snapshot message;
  message.set_parent(OrZero(record.parent));
  message.set_model(record.origin->model);
  message.set_revision(record.origin->revision);
  message.set_method(record.origin->method);
  *message.mutable_create_time() = EncodeTimestamp(record.create_time);
  message.mutable_labels()->insert(record.labels->begin(), record.labels->end());
  message.set_step_count(record.step_count);
  message.set_state_bytes(record.state_bytes);
  message.set_new_bytes(record.new_bytes);
  message.set_pinned(record.pinned);
  EncodeWriters(record, message);
  return message;
}

constexpr size_t kHashBytes = 8;
constexpr size_t kSizeBytes = 4;

void AppendLittleEndian(uint64_t number, size_t bytes, std::string& out) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>((number >> (8 * i)) & 0xff));
}

uint64_t ReadLittleEndian(absl::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return number;
}

absl::Span<const std::byte> BytesOf(absl::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

std::string EncodeSnapshot(const StoredSnapshot& snapshot) {
  stored::Snapshot message = SnapshotMessage(snapshot.record);
  for (const Array& array : snapshot.written) message.add_written_bytes(array.byte_count());
  return Serialize(message);
}

std::string EncodeSnapshot(const SnapshotRow& row) {
  stored::Snapshot message = SnapshotMessage(row.record);
  for (const int64_t bytes : row.written_bytes) message.add_written_bytes(bytes);
  return Serialize(message);
}

absl::StatusOr<SnapshotRow> DecodeSnapshot(Version version, absl::string_view value) {
  stored::Snapshot message;
  if (!Parse(value, message)) {
    return RecordDamaged(absl::StrCat("the record of version ", version.value()), "its fields do not parse");
  }
  SnapshotRow row;
  SnapshotRecord& record = row.record;
  record.version = version;
  record.parent = OptionalVersion(message.parent());
  record.origin = std::make_shared<const SnapshotOrigin>(
      SnapshotOrigin{.model = message.model(), .revision = message.revision(), .method = message.method()});
  record.create_time = DecodeTimestamp(message.create_time());
  record.labels = DecodeLabels(message.labels());
  record.step_count = message.step_count();
  record.state_bytes = message.state_bytes();
  record.new_bytes = message.new_bytes();
  record.pinned = message.pinned();
  DecodeWriters(message, record);
  row.written_bytes.assign(message.written_bytes().begin(), message.written_bytes().end());
  if (std::ranges::count(record.writers, version) != std::ssize(row.written_bytes)) {
    return RecordDamaged(absl::StrCat("the record of version ", version.value()),
                         absl::StrCat("it tells the size of ", row.written_bytes.size(), " arrays; expected ",
                                      std::ranges::count(record.writers, version)));
  }
  return row;
}

std::string EncodePlace(const PlaceRow& place) {
  stored::Place message;
  message.set_parent(place.parent.value());
  message.set_is_skeleton(place.is_skeleton);
  if (place.is_skeleton) EncodeWriters(place.record, message);
  return Serialize(message);
}

absl::StatusOr<PlaceRow> DecodePlace(Version version, absl::string_view value) {
  stored::Place message;
  if (!Parse(value, message)) {
    return RecordDamaged(absl::StrCat("the place of version ", version.value(), " among the others"),
                         "its fields do not parse");
  }
  PlaceRow place{.parent = Version(message.parent()), .is_skeleton = message.is_skeleton()};
  place.record.version = version;
  DecodeWriters(message, place.record);
  return place;
}

std::string EncodeOrphan(const OrphanRow& orphan) {
  stored::Part message;
  message.set_byte_count(orphan.byte_count);
  message.set_previous(OrZero(orphan.previous));
  return Serialize(message);
}

absl::StatusOr<OrphanRow> DecodeOrphan(Version writer, int position, absl::string_view value) {
  stored::Part message;
  if (!Parse(value, message)) {
    return RecordDamaged(
        absl::StrCat("what is known of the array at position ", position, " of version ", writer.value()),
        "its fields do not parse");
  }
  return OrphanRow{.byte_count = message.byte_count(), .previous = OptionalVersion(message.previous())};
}

std::string EncodeBranch(const BranchRecord& branch) { return Serialize(BranchMessage(branch)); }

absl::StatusOr<BranchRecord> DecodeBranch(absl::string_view name, absl::string_view value) {
  stored::Branch message;
  if (!Parse(value, message) || message.name() != name) {
    return RecordDamaged(absl::StrCat("branch \"", name, "\""), "its fields do not parse");
  }
  return BranchOf(message);
}

std::string EncodeRequest(const RequestRecord& request) {
  stored::Request message;
  message.set_id(request.id);
  message.set_digest(request.digest);
  *message.mutable_time() = EncodeTimestamp(request.time);
  message.set_base(OrZero(request.base));
  message.set_revision(request.revision);
  for (const Version version : request.versions) message.add_versions(version.value());
  if (request.branch.has_value()) *message.mutable_branch() = BranchMessage(*request.branch);
  message.set_freed_bytes(request.freed_bytes);
  return Serialize(message);
}

absl::StatusOr<RequestRecord> DecodeRequest(absl::string_view value) {
  stored::Request message;
  if (!Parse(value, message)) return RecordDamaged("a remembered request", "its fields do not parse");
  RequestRecord request{.id = message.id(),
                        .digest = message.digest(),
                        .time = DecodeTimestamp(message.time()),
                        .base = OptionalVersion(message.base()),
                        .revision = message.revision(),
                        .freed_bytes = message.freed_bytes()};
  for (const int64_t version : message.versions()) request.versions.emplace_back(version);
  if (message.has_branch()) request.branch = BranchOf(message.branch());
  return request;
}

std::string EncodeModelRevision(const ModelRevisionRecord& record) {
  stored::ModelRevision message;
  message.set_model(record.model);
  message.set_revision(record.revision);
  message.set_digest(record.digest);
  for (const ModelRevisionRecord::StateArray& array : record.state) {
    stored::StateArray& added = *message.add_state();
    added.set_index(array.index);
    added.set_dtype(static_cast<int32_t>(array.dtype));
    added.mutable_dims()->Assign(array.dims.begin(), array.dims.end());
  }
  return Serialize(message);
}

absl::StatusOr<ModelRevisionRecord> DecodeModelRevision(absl::string_view value) {
  stored::ModelRevision message;
  if (!Parse(value, message)) return RecordDamaged("a model's revision", "its fields do not parse");
  ModelRevisionRecord record{message.model(), message.revision(), message.digest(), {}};
  for (const stored::StateArray& array : message.state()) {
    if (!IsDType(array.dtype())) {
      return RecordDamaged(absl::StrCat("revision ", record.revision, " of model \"", record.model, "\""),
                           absl::StrCat("a dtype is ", array.dtype()));
    }
    record.state.push_back(
        {array.index(), static_cast<DType>(array.dtype()), {array.dims().begin(), array.dims().end()}});
  }
  return record;
}

std::string EncodeArrayHeader(Version writer, int position, const Array& array,
                              std::optional<Version> previous) {
  stored::ArrayHeader message;
  message.set_dtype(static_cast<int32_t>(array.dtype()));
  for (const int64_t dim : array.shape().dims()) message.add_shape(dim);
  message.set_previous(OrZero(previous));
  const std::string fields = Serialize(message);
  std::string header;
  AppendLittleEndian(fields.size(), kSizeBytes, header);
  header += fields;
  std::string hash;
  AppendLittleEndian(Checksum({BytesOf(ArrayKey(writer, position)), BytesOf(header), array.bytes()}),
                     kHashBytes, hash);
  return hash + header;
}

absl::StatusOr<ArrayPart> DecodeArray(Version writer, int position, absl::string_view value) {
  if (value.size() < kHashBytes + kSizeBytes) {
    return ArrayDamaged(writer, position, absl::StrCat("it has ", value.size(), " bytes"));
  }
  const uint64_t expected = ReadLittleEndian(value.substr(0, kHashBytes));
  value.remove_prefix(kHashBytes);
  const uint64_t actual = Checksum({BytesOf(ArrayKey(writer, position)), BytesOf(value)});
  if (actual != expected) {
    return ArrayDamaged(writer, position,
                        absl::StrCat("its checksum is ", absl::Hex(actual, absl::kZeroPad16), ", expected ",
                                     absl::Hex(expected, absl::kZeroPad16)));
  }
  const auto size = static_cast<size_t>(ReadLittleEndian(value.substr(0, kSizeBytes)));
  value.remove_prefix(kSizeBytes);
  stored::ArrayHeader message;
  if (size > value.size() || !Parse(value.substr(0, size), message)) {
    return ArrayDamaged(writer, position, "its header does not parse");
  }
  if (!IsDType(message.dtype())) {
    return ArrayDamaged(writer, position, absl::StrCat("its dtype is ", message.dtype()));
  }
  absl::StatusOr<Array> array =
      Array::Make(static_cast<DType>(message.dtype()),
                  absl::MakeConstSpan(message.shape().data(), static_cast<size_t>(message.shape_size())),
                  Buffer::Copy(BytesOf(value.substr(size))));
  if (!array.ok()) return ArrayDamaged(writer, position, array.status().message());
  return ArrayPart{*std::move(array), OptionalVersion(message.previous())};
}

}  // namespace stepwell
