#ifndef STEPWELL_SERVER_CONVERT_DECODE_H_
#define STEPWELL_SERVER_CONVERT_DECODE_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "stepwell/engine/requests.h"
#include "stepwell/v1/array.pb.h"
#include "stepwell/v1/retention.pb.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// From messages to the engine's values. Each takes over what it can of its message, and answers
// INVALID_ARGUMENT, naming the field and what was expected, for one that has no such value.

// The message of a request. INVALID_ARGUMENT when the bytes are none.
template <typename Message>
absl::StatusOr<Message> ParseRequest(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<Message> message(absl::in_place);
  // gRPC reads through a pointer to non-const, and keeps the position elsewhere.
  grpc::ProtoBufferReader reader(const_cast<grpc::ByteBuffer*>(&bytes));
  if (reader.status().ok() && message->ParseFromZeroCopyStream(&reader)) return message;
  return absl::InvalidArgumentError(absl::StrCat("the ", bytes.Length(), " bytes of the request are no ",
                                                 Message::descriptor()->full_name()));
}

// The array's memory is the message's. `what` names it in errors: input "x".
absl::StatusOr<Array> DecodeArray(absl::string_view what, absl::string_view name, v1::Array&& message);
absl::StatusOr<DType> DecodeDType(v1::DType dtype);
absl::StatusOr<NamedArrays> DecodeNamedArrays(absl::string_view what,
                                              google::protobuf::RepeatedPtrField<v1::NamedArray>&& messages);
// `field` names it in errors.
absl::StatusOr<StateRef> DecodeStateRef(v1::StateRef&& message, absl::string_view field = "state");
// How errors name an index.
std::string NameOf(const v1::Index& index);
absl::StatusOr<Index> DecodeIndex(v1::Index&& message);
absl::StatusOr<std::vector<ArraySelector>> DecodeSelectors(
    google::protobuf::RepeatedPtrField<v1::ArraySelector>&& messages);
absl::StatusOr<std::optional<Durability>> DecodeDurability(v1::Durability durability);
absl::StatusOr<RevisionChoice> DecodeRevision(const v1::RevisionChoice& message);
absl::StatusOr<Version> DecodeVersion(absl::string_view field, int64_t version);

// Of what steps or changes a state, into its request.
template <typename Message, typename Request>
absl::Status DecodeRevision(const Message& message, Request& request) {
  if (!message.has_revision()) return absl::OkStatus();
  const absl::StatusOr<RevisionChoice> revision = DecodeRevision(message.revision());
  if (!revision.ok()) return revision.status();
  request.revision = *revision;
  request.adapt_state = message.revision().adapt_state();
  return absl::OkStatus();
}

// The head that a request expects, if it names one.
template <typename Message>
absl::StatusOr<std::optional<Version>> DecodeExpectedHead(const Message& message) {
  if (!message.has_expected_head()) return std::nullopt;
  const absl::StatusOr<Version> version = DecodeVersion("expected_head", message.expected_head());
  if (!version.ok()) return version.status();
  return *version;
}

// A time between the years 1 and 9999. `field` names it in errors.
absl::StatusOr<absl::Time> DecodeTime(absl::string_view field, const google::protobuf::Timestamp& time);
// What duration.proto allows. `field` names it in errors.
absl::StatusOr<absl::Duration> DecodeDuration(absl::string_view field,
                                              const google::protobuf::Duration& duration);
absl::StatusOr<RetentionPolicy> DecodeRetention(const v1::RetentionPolicy& message);
// Whether the mask has each of `fields`; INVALID_ARGUMENT when it has another.
absl::StatusOr<std::vector<bool>> DecodeUpdateMask(const google::protobuf::FieldMask& mask,
                                                   absl::Span<const absl::string_view> fields);
Labels DecodeLabels(const google::protobuf::Map<std::string, std::string>& labels);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_DECODE_H_
