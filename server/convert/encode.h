#ifndef STEPWELL_SERVER_CONVERT_ENCODE_H_
#define STEPWELL_SERVER_CONVERT_ENCODE_H_

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "stepwell/engine/requests.h"
#include "stepwell/model/repository.h"
#include "stepwell/v1/branch_service.pb.h"
#include "stepwell/v1/model_service.pb.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// From the engine's values to messages.

google::protobuf::Timestamp EncodeTime(absl::Time time);
v1::Snapshot Encode(const SnapshotRecord& record, bool durable);
v1::Branch Encode(const BranchRecord& record);
v1::ModelInfo Encode(const ModelStatus& status);
v1::DiffSnapshotsResponse Encode(const DiffSnapshotsResult& result);

// The bytes of a reply that is small.
grpc::ByteBuffer Serialize(const google::protobuf::Message& message);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_ENCODE_H_
