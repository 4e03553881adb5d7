#include "client/src/convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/src/status.h"

namespace stepwell::client {
namespace {

void Set(v1::Array& message, const Array& array) {
  message.set_dtype(static_cast<v1::DType>(array.dtype()));
  message.mutable_shape()->Add(array.shape().dims().begin(), array.shape().dims().end());
  message.set_data(array.bytes().data(), array.bytes().size());
}

void Set(v1::Index& message, const Index& index) {
  if (const auto* path = std::get_if<IndexPath>(&index)) {
    message.set_path(path->value);
  } else if (const auto* position = std::get_if<IndexPosition>(&index)) {
    message.set_position(position->value);
  } else {
    message.set_subtree(std::get<IndexSubtree>(index).value);
  }
}

void Add(google::protobuf::RepeatedPtrField<v1::NamedArray>& messages, const NamedArrays& arrays) {
  for (const auto& [name, array] : arrays) {
    v1::NamedArray& message = *messages.Add();
    message.set_name(name);
    Set(*message.mutable_array(), array);
  }
}

void Add(google::protobuf::RepeatedPtrField<v1::ArraySelector>& messages,
         const std::vector<ArraySelector>& selectors) {
  for (const ArraySelector& selector : selectors) {
    v1::ArraySelector& message = *messages.Add();
    Set(*message.mutable_index(), selector.index);
    for (const Slice& slice : selector.slices) {
      v1::Slice& axis = *message.add_slices();
      if (slice.start.has_value()) axis.set_start(*slice.start);
      if (slice.stop.has_value()) axis.set_stop(*slice.stop);
      if (slice.step.has_value()) axis.set_step(*slice.step);
    }
  }
}

// Times beyond those that a message can hold become the first and the last of them.
void Set(google::protobuf::Timestamp& message, absl::Time time) {
  constexpr int64_t kBegin = -62135596800;  // Year 1, as timestamp.proto says.
  constexpr int64_t kEnd = 253402300800;    // Year 10000.
  time = std::clamp(time, absl::FromUnixSeconds(kBegin), absl::FromUnixSeconds(kEnd) - absl::Nanoseconds(1));
  const int64_t seconds = absl::ToUnixSeconds(time);
  message.set_seconds(seconds);
  message.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void Set(v1::RetentionPolicy& message, const RetentionPolicy& policy) {
  if (policy.keep_last.has_value()) message.set_keep_last(*policy.keep_last);
  if (policy.keep_every.has_value()) message.set_keep_every(*policy.keep_every);
  if (!policy.max_age.has_value()) return;
  // Longer ones than a message can hold become the longest.
  constexpr absl::Duration kMax = absl::Seconds(315'576'000'000);  // 10,000 years, as duration.proto says.
  const absl::Duration max_age = std::clamp(*policy.max_age, -kMax, kMax);
  const int64_t seconds = absl::ToInt64Seconds(max_age);
  message.mutable_max_age()->set_seconds(seconds);
  message.mutable_max_age()->set_nanos(
      static_cast<int>(absl::ToInt64Nanoseconds(max_age - absl::Seconds(seconds))));
}

// What every mutation says.
template <typename Message, typename Request>
void SetMutation(Message& message, const Request& request) {
  message.set_request_id(request.request_id);
  message.set_durability(ToProto(request.durability));
}

// What every mutation of a state says beside its arrays.
template <typename Message, typename Request>
void SetCommon(Message& message, const Request& request) {
  message.mutable_labels()->insert(request.labels.begin(), request.labels.end());
  SetMutation(message, request);
}

template <typename Message, typename Request>
void SetRevision(Message& message, const Request& request) {
  if (const auto* number = std::get_if<int64_t>(&request.revision)) {
    message.mutable_revision()->set_number(*number);
  } else if (std::holds_alternative<NewestRevision>(request.revision)) {
    message.mutable_revision()->set_newest(true);
  }
  if (request.adapt_state) message.mutable_revision()->set_adapt_state(true);
}

template <typename Reply>
absl::StatusOr<NamedArrays> Share(const std::shared_ptr<const Reply>& reply,
                                  const google::protobuf::RepeatedPtrField<v1::NamedArray>& messages) {
  NamedArrays arrays;
  arrays.reserve(static_cast<size_t>(messages.size()));
  for (const v1::NamedArray& message : messages) {
    const std::string& data = message.array().data();
    absl::StatusOr<Array> array = absl::InvalidArgumentError(
        absl::StrCat("dtype ", static_cast<int>(message.array().dtype()), " is unknown"));
    if (v1::DType_IsValid(message.array().dtype()) && message.array().dtype() != v1::DTYPE_UNSPECIFIED) {
      array =
          Array::Make(static_cast<DType>(message.array().dtype()), message.array().shape(),
                      Buffer::Adopt(reply, {reinterpret_cast<const std::byte*>(data.data()), data.size()}));
    }
    if (!array.ok()) {
      return absl::InternalError(absl::StrCat("the server sent \"", message.name(),
                                              "\", which is no array: ", array.status().message()));
    }
    arrays.emplace_back(message.name(), *std::move(array));
  }
  return arrays;
}

}  // namespace

v1::StateRef ToProto(const StateRef& state) {
  v1::StateRef message;
  if (const auto* version = std::get_if<Version>(&state)) {
    message.set_version(version->value);
  } else {
    message.set_branch(std::get<BranchName>(state).value);
  }
  return message;
}

v1::MakeStateRequest ToProto(const MakeStateRequest& request) {
  v1::MakeStateRequest message;
  message.set_model(request.model);
  if (request.revision.has_value()) message.set_revision(*request.revision);
  Add(*message.mutable_arrays(), request.arrays);
  if (request.rng_seed.has_value()) message.set_rng_seed(static_cast<int64_t>(*request.rng_seed));
  if (request.branch.has_value()) message.set_branch(*request.branch);
  SetCommon(message, request);
  return message;
}

v1::StepRequest ToProto(const StepRequest& request) {
  v1::StepRequest message;
  *message.mutable_state() = ToProto(request.state);
  message.set_method(request.method);
  Add(*message.mutable_inputs(), request.inputs);
  for (const std::string& name : request.output_names) message.add_output_names(name);
  Add(*message.mutable_fetch(), request.fetch);
  if (!request.keep) message.set_keep(false);
  message.set_check_finite(request.check_finite);
  SetRevision(message, request);
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  SetCommon(message, request);
  return message;
}

v1::BatchStepRequest ToProto(const BatchStepRequest& request) {
  v1::BatchStepRequest message;
  message.mutable_steps()->Reserve(static_cast<int>(request.steps.size()));
  for (const StepRequest& step : request.steps) *message.add_steps() = ToProto(step);
  message.set_all_or_nothing(request.all_or_nothing);
  SetMutation(message, request);
  return message;
}

v1::ScanRequest ToProto(const ScanRequest& request) {
  v1::ScanRequest message;
  *message.mutable_state() = ToProto(request.state);
  message.set_method(request.method);
  Add(*message.mutable_inputs(), request.inputs);
  message.set_step_count(request.step_count);
  for (const std::string& name : request.output_names) message.add_output_names(name);
  message.set_keep_every(request.keep_every);
  message.set_check_finite(request.check_finite);
  SetRevision(message, request);
  Add(*message.mutable_fetch(), request.fetch);
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  SetCommon(message, request);
  return message;
}

v1::StepStreamRequest::Step ToProto(const StreamStep& step) {
  v1::StepStreamRequest::Step message;
  message.set_method(step.method);
  Add(*message.mutable_inputs(), step.inputs);
  for (const std::string& name : step.output_names) message.add_output_names(name);
  Add(*message.mutable_fetch(), step.fetch);
  if (!step.keep) message.set_keep(false);
  message.set_check_finite(step.check_finite);
  SetRevision(message, step);
  message.mutable_labels()->insert(step.labels.begin(), step.labels.end());
  return message;
}

v1::Durability ToProto(Durability durability) {
  switch (durability) {
    case Durability::kServerDefault:
      return v1::DURABILITY_UNSPECIFIED;
    case Durability::kAsync:
      return v1::DURABILITY_ASYNC;
    case Durability::kSync:
      return v1::DURABILITY_SYNC;
  }
  return v1::DURABILITY_UNSPECIFIED;
}

v1::SetArraysRequest ToProto(const SetArraysRequest& request) {
  v1::SetArraysRequest message;
  *message.mutable_state() = ToProto(request.state);
  for (const auto& [index, array] : request.arrays) {
    v1::ArrayUpdate& update = *message.add_arrays();
    Set(*update.mutable_index(), index);
    Set(*update.mutable_array(), array);
  }
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  SetRevision(message, request);
  SetCommon(message, request);
  return message;
}

v1::WriteArraysRequest::Header ToWriteHeader(const SetArraysRequest& request) {
  v1::WriteArraysRequest::Header message;
  *message.mutable_state() = ToProto(request.state);
  for (const auto& [index, array] : request.arrays) {
    auto& header = *message.add_arrays();
    Set(*header.mutable_index(), index);
    header.set_dtype(static_cast<v1::DType>(array.dtype()));
    header.mutable_shape()->Add(array.shape().dims().begin(), array.shape().dims().end());
  }
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  SetRevision(message, request);
  SetCommon(message, request);
  return message;
}

v1::ImportSnapshotsRequest::Header ToImportHeader(const ImportSnapshotsRequest& request) {
  v1::ImportSnapshotsRequest::Header message;
  *message.mutable_history() = request.history;
  message.set_branch(request.branch);
  SetRevision(message, request);
  SetMutation(message, request);
  return message;
}

v1::GetArraysRequest ToProto(const GetArraysRequest& request) {
  v1::GetArraysRequest message;
  *message.mutable_state() = ToProto(request.state);
  Add(*message.mutable_selectors(), request.selectors);
  return message;
}

v1::DiffSnapshotsRequest ToProto(const DiffSnapshotsRequest& request) {
  v1::DiffSnapshotsRequest message;
  *message.mutable_from() = ToProto(request.from);
  *message.mutable_to() = ToProto(request.to);
  if (request.index.has_value()) Set(*message.mutable_index(), *request.index);
  message.set_include_same(request.include_same);
  return message;
}

v1::ListSnapshotsRequest ToProto(const ListSnapshotsRequest& request) {
  v1::ListSnapshotsRequest message;
  if (const auto* state = std::get_if<StateRef>(&request.of)) {
    *message.mutable_ancestors_of() = ToProto(*state);
  } else {
    message.set_model(std::get<std::string>(request.of));
  }
  if (request.begin_time != absl::InfinitePast()) Set(*message.mutable_begin_time(), request.begin_time);
  if (request.end_time != absl::InfiniteFuture()) Set(*message.mutable_end_time(), request.end_time);
  message.mutable_labels()->insert(request.labels.begin(), request.labels.end());
  message.set_page_size(request.page_size);
  message.set_page_token(request.page_token);
  return message;
}

v1::UpdateSnapshotRequest ToProto(const UpdateSnapshotRequest& request) {
  v1::UpdateSnapshotRequest message;
  message.set_version(request.version.value);
  if (request.labels.has_value()) {
    message.mutable_labels()->insert(request.labels->begin(), request.labels->end());
    message.mutable_update_mask()->add_paths("labels");
  }
  if (request.pinned.has_value()) {
    message.set_pinned(*request.pinned);
    message.mutable_update_mask()->add_paths("pinned");
  }
  SetMutation(message, request);
  return message;
}

v1::DeleteSnapshotsRequest ToProto(const DeleteSnapshotsRequest& request) {
  v1::DeleteSnapshotsRequest message;
  for (const Version& version : request.versions) message.add_versions(version.value);
  SetMutation(message, request);
  return message;
}

v1::CreateBranchRequest ToProto(const CreateBranchRequest& request) {
  v1::CreateBranchRequest message;
  message.set_name(request.name);
  *message.mutable_state() = ToProto(request.state);
  if (request.expire_time != absl::InfiniteFuture()) {
    Set(*message.mutable_expire_time(), request.expire_time);
  }
  if (request.retention.has_value()) Set(*message.mutable_retention(), *request.retention);
  SetCommon(message, request);
  return message;
}

v1::ListBranchesRequest ToProto(const ListBranchesRequest& request) {
  v1::ListBranchesRequest message;
  message.set_prefix(request.prefix);
  message.set_page_size(request.page_size);
  message.set_page_token(request.page_token);
  return message;
}

v1::UpdateBranchRequest ToProto(const UpdateBranchRequest& request) {
  v1::UpdateBranchRequest message;
  message.set_name(request.name);
  if (request.head.has_value()) *message.mutable_head() = ToProto(*request.head);
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  if (request.labels.has_value()) {
    message.mutable_labels()->insert(request.labels->begin(), request.labels->end());
    message.mutable_update_mask()->add_paths("labels");
  }
  if (request.expire_time.has_value()) {
    message.mutable_update_mask()->add_paths("expire_time");
    if (*request.expire_time != absl::InfiniteFuture()) {
      Set(*message.mutable_expire_time(), *request.expire_time);
    }
  }
  if (request.retention.has_value()) {
    message.mutable_update_mask()->add_paths("retention");
    if (request.retention->has_value()) Set(*message.mutable_retention(), **request.retention);
  }
  SetMutation(message, request);
  return message;
}

v1::DeleteBranchRequest ToProto(const DeleteBranchRequest& request) {
  v1::DeleteBranchRequest message;
  message.set_name(request.name);
  if (request.expected_head.has_value()) message.set_expected_head(request.expected_head->value);
  SetMutation(message, request);
  return message;
}

absl::StatusOr<StepResult> FromProto(std::shared_ptr<const v1::StepResponse> reply) {
  absl::StatusOr<NamedArrays> outputs = Share(reply, reply->outputs());
  if (!outputs.ok()) return outputs.status();
  absl::StatusOr<NamedArrays> fetched = Share(reply, reply->fetched());
  if (!fetched.ok()) return fetched.status();
  return StepResult{{reply->version()}, *std::move(outputs), *std::move(fetched)};
}

absl::StatusOr<BatchStepResult> FromProto(const std::shared_ptr<const v1::BatchStepResponse>& reply) {
  BatchStepResult result;
  result.results.reserve(static_cast<size_t>(reply->results_size()));
  for (const v1::BatchStepResponse::Result& one : reply->results()) {
    if (one.has_status()) {
      result.results.emplace_back(FromProto(one.status()));
    } else {
      result.results.push_back(FromProto(std::shared_ptr<const v1::StepResponse>(reply, &one.response())));
    }
  }
  return result;
}

absl::StatusOr<ScanResult> FromProto(std::shared_ptr<const v1::ScanResponse> reply) {
  absl::StatusOr<NamedArrays> outputs = Share(reply, reply->outputs());
  if (!outputs.ok()) return outputs.status();
  absl::StatusOr<NamedArrays> fetched = Share(reply, reply->fetched());
  if (!fetched.ok()) return fetched.status();
  ScanResult result{{}, *std::move(outputs), *std::move(fetched)};
  for (const int64_t version : reply->versions()) result.versions.push_back({version});
  return result;
}

absl::StatusOr<GetArraysResult> FromProto(std::shared_ptr<const v1::GetArraysResponse> reply) {
  absl::StatusOr<NamedArrays> arrays = Share(reply, reply->arrays());
  if (!arrays.ok()) return arrays.status();
  return GetArraysResult{{reply->version()}, *std::move(arrays)};
}

}  // namespace stepwell::client
