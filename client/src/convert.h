#ifndef STEPWELL_CLIENT_SRC_CONVERT_H_
#define STEPWELL_CLIENT_SRC_CONVERT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "stepwell/client/move.h"
#include "stepwell/client/stream.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/branch_service.pb.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::client {

// From requests to messages.
v1::StateRef ToProto(const StateRef& state);
v1::MakeStateRequest ToProto(const MakeStateRequest& request);
v1::StepRequest ToProto(const StepRequest& request);
v1::BatchStepRequest ToProto(const BatchStepRequest& request);
v1::ScanRequest ToProto(const ScanRequest& request);
v1::SetArraysRequest ToProto(const SetArraysRequest& request);
v1::StepStreamRequest::Step ToProto(const StreamStep& step);
v1::WriteArraysRequest::Header ToWriteHeader(const SetArraysRequest& request);
v1::ImportSnapshotsRequest::Header ToImportHeader(const ImportSnapshotsRequest& request);
v1::Durability ToProto(Durability durability);
v1::GetArraysRequest ToProto(const GetArraysRequest& request);
v1::ListSnapshotsRequest ToProto(const ListSnapshotsRequest& request);
v1::UpdateSnapshotRequest ToProto(const UpdateSnapshotRequest& request);
v1::DeleteSnapshotsRequest ToProto(const DeleteSnapshotsRequest& request);
v1::CreateBranchRequest ToProto(const CreateBranchRequest& request);
v1::ListBranchesRequest ToProto(const ListBranchesRequest& request);
v1::UpdateBranchRequest ToProto(const UpdateBranchRequest& request);
v1::DeleteBranchRequest ToProto(const DeleteBranchRequest& request);
v1::DiffSnapshotsRequest ToProto(const DiffSnapshotsRequest& request);

// From replies: the arrays share the reply's memory. INTERNAL: the server sent an array that is none.
absl::StatusOr<StepResult> FromProto(std::shared_ptr<const v1::StepResponse> reply);
absl::StatusOr<BatchStepResult> FromProto(const std::shared_ptr<const v1::BatchStepResponse>& reply);
absl::StatusOr<ScanResult> FromProto(std::shared_ptr<const v1::ScanResponse> reply);
absl::StatusOr<GetArraysResult> FromProto(std::shared_ptr<const v1::GetArraysResponse> reply);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_CONVERT_H_
