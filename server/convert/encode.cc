#include "server/convert/encode.h"

#include <string>

#include "absl/time/time.h"

namespace stepwell::server {
namespace {

void Set(v1::TensorSpec& message, const TensorSpec& spec) {
  message.set_name(spec.name);
  message.set_dtype(static_cast<v1::DType>(spec.dtype));
  for (const Dim& dim : spec.dims) {
    v1::Dimension& dimension = *message.add_shape();
    dimension.set_extent(dim.extent);
    dimension.set_name(dim.name);
  }
}

v1::StateArrayInfo::Initial EncodeInitial(const InitialValue& initial) {
  if (std::holds_alternative<GivenAtMakeState>(initial)) return v1::StateArrayInfo::GIVEN;
  if (std::holds_alternative<RngKey>(initial)) return v1::StateArrayInfo::RNG_KEY;
  return v1::StateArrayInfo::VALUE;
}

v1::RetentionPolicy EncodeRetention(const RetentionPolicy& policy) {
  v1::RetentionPolicy message;
  if (policy.keep_last.has_value()) message.set_keep_last(*policy.keep_last);
  if (policy.keep_every.has_value()) message.set_keep_every(*policy.keep_every);
  if (policy.max_age.has_value()) {
    const int64_t seconds = absl::ToInt64Seconds(*policy.max_age);
    message.mutable_max_age()->set_seconds(seconds);
    message.mutable_max_age()->set_nanos(
        static_cast<int>(absl::ToInt64Nanoseconds(*policy.max_age - absl::Seconds(seconds))));
  }
  return message;
}

v1::ModelInfo::State EncodeState(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::ModelInfo::LOADING;
    case ModelState::kReady:
      return v1::ModelInfo::READY;
    case ModelState::kFailed:
      return v1::ModelInfo::FAILED;
    case ModelState::kUnloading:
      return v1::ModelInfo::UNLOADING;
  }
  return v1::ModelInfo::STATE_UNSPECIFIED;
}

void Set(v1::MethodInfo& message, const Method& method, const StateSpec& spec) {
  message.set_name(method.name());
  for (const TensorSpec& input : method.inputs()) Set(*message.add_inputs(), input);
  for (const TensorSpec& output : method.outputs()) Set(*message.add_outputs(), output);
  for (const int position : method.reads()) message.add_reads(spec[position].tensor.name);
  for (size_t i = 0; i < method.writes().size(); ++i) {
    const std::string& index = spec[method.writes()[i]].tensor.name;
    message.add_writes(index);
    if (method.appends(i)) message.add_appends(index);
  }
}

v1::DiffSnapshotsResponse::ArrayDiff::Kind EncodeKind(ArrayDiff::Kind kind) {
  switch (kind) {
    case ArrayDiff::Kind::kSame:
      return v1::DiffSnapshotsResponse::ArrayDiff::SAME;
    case ArrayDiff::Kind::kChanged:
      return v1::DiffSnapshotsResponse::ArrayDiff::CHANGED;
    case ArrayDiff::Kind::kAdded:
      return v1::DiffSnapshotsResponse::ArrayDiff::ADDED;
    case ArrayDiff::Kind::kRemoved:
      return v1::DiffSnapshotsResponse::ArrayDiff::REMOVED;
  }
  return v1::DiffSnapshotsResponse::ArrayDiff::KIND_UNSPECIFIED;
}

}  // namespace

google::protobuf::Timestamp EncodeTime(absl::Time time) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  google::protobuf::Timestamp message;
  message.set_seconds(seconds);
  message.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return message;
}

v1::Snapshot Encode(const SnapshotRecord& record, bool durable) {
  v1::Snapshot message;
  message.set_version(record.version.value());
  if (record.parent.has_value()) message.set_parent(record.parent->value());
  message.set_model(record.origin->model);
  message.set_revision(record.origin->revision);
  message.set_method(record.origin->method);
  *message.mutable_create_time() = EncodeTime(record.create_time);
  message.mutable_labels()->insert(record.labels->begin(), record.labels->end());
  message.set_step_count(record.step_count);
  message.set_pinned(record.pinned);
  message.set_state_bytes(record.state_bytes);
  message.set_new_bytes(record.new_bytes);
  message.set_durable(durable);
  return message;
}

v1::Branch Encode(const BranchRecord& record) {
  v1::Branch message;
  message.set_name(record.name);
  message.set_model(record.model);
  message.set_head(record.head.value());
  *message.mutable_create_time() = EncodeTime(record.create_time);
  *message.mutable_update_time() = EncodeTime(record.update_time);
  if (record.expire_time != absl::InfiniteFuture()) {
    *message.mutable_expire_time() = EncodeTime(record.expire_time);
  }
  message.mutable_labels()->insert(record.labels.begin(), record.labels.end());
  if (record.retention.has_value()) *message.mutable_retention() = EncodeRetention(*record.retention);
  return message;
}

v1::ModelInfo Encode(const ModelStatus& status) {
  v1::ModelInfo message;
  message.set_name(status.name);
  message.set_state(EncodeState(status.state));
  message.set_error(std::string(status.error.message()));
  message.mutable_loaded_revisions()->Add(status.revisions.begin(), status.revisions.end());
  if (status.model == nullptr) return message;
  const Model& model = *status.model;
  message.set_revision(model.revision());
  message.set_digest(model.digest());
  message.set_description(model.description());
  message.set_check_finite(model.check_finite());
  if (const Batching& batching = model.batching(); batching.max_batch_size > 1) {
    message.mutable_batching()->set_max_batch_size(batching.max_batch_size);
    message.mutable_batching()->set_max_queue_delay_micros(
        absl::ToInt64Microseconds(batching.max_queue_delay));
  }
  if (model.retention().has_value()) *message.mutable_retention() = EncodeRetention(*model.retention());
  for (const auto& method : model.methods()) Set(*message.add_methods(), *method, model.state_spec());
  for (const StateArraySpec& array : model.state_spec().arrays()) {
    v1::StateArrayInfo& info = *message.add_state_spec();
    Set(*info.mutable_tensor(), array.tensor);
    info.set_initial(EncodeInitial(array.initial));
  }
  return message;
}

v1::DiffSnapshotsResponse Encode(const DiffSnapshotsResult& result) {
  v1::DiffSnapshotsResponse message;
  message.set_from_version(result.from.value());
  message.set_to_version(result.to.value());
  for (const ArrayDiff& diff : result.arrays) {
    v1::DiffSnapshotsResponse::ArrayDiff& array = *message.add_arrays();
    array.set_index(diff.index);
    array.set_kind(EncodeKind(diff.kind));
    if (diff.from.has_value()) {
      array.set_from_dtype(static_cast<v1::DType>(diff.from->dtype));
      array.mutable_from_shape()->Add(diff.from->dims.begin(), diff.from->dims.end());
    }
    if (diff.to.has_value()) {
      array.set_to_dtype(static_cast<v1::DType>(diff.to->dtype));
      array.mutable_to_shape()->Add(diff.to->dims.begin(), diff.to->dims.end());
    }
    if (diff.difference.has_value()) {
      array.set_max_abs_difference(diff.difference->max_abs);
      array.set_mean_abs_difference(diff.difference->mean_abs);
    }
  }
  return message;
}

grpc::ByteBuffer Serialize(const google::protobuf::Message& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace stepwell::server
