#ifndef STEPWELL_SERVER_SERVICES_STATE_SERVICE_H_
#define STEPWELL_SERVER_SERVICES_STATE_SERVICE_H_

#include <cstdint>

#include "server/rpc/rpc_server.h"
#include "server/rpc/unary_call.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/engine.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::server {

// Serves stepwell.v1.StateService: MakeState, Step, StepStream, BatchStep, Scan, SetArrays, WriteArrays,
// GetArrays, ReadArrays, GetSnapshot, ListSnapshots, UpdateSnapshot, DeleteSnapshots, DiffSnapshots,
// ExportSnapshots and ImportSnapshots.
// Thread-safe.
class StateService {
 public:
  // `engine` is not owned and must outlive the calls that `rpcs` serves. Replies of one message hold at most
  // `max_reply_bytes` of arrays; a WriteArrays, or a snapshot of an import, brings at most `max_write_bytes`.
  StateService(Engine* engine, int64_t max_reply_bytes, int64_t max_write_bytes, RpcServer& rpcs);

 private:
  using Service = v1::StateService;
  using Generated = Service::WithRawMethod_MakeState<
      Service::WithRawMethod_Step<Service::WithRawMethod_StepStream<Service::WithRawMethod_BatchStep<
          Service::WithRawMethod_Scan<Service::WithRawMethod_SetArrays<Service::WithRawMethod_WriteArrays<
              Service::WithRawMethod_GetArrays<Service::WithRawMethod_ReadArrays<
                  Service::WithRawMethod_GetSnapshot<Service::WithRawMethod_ListSnapshots<
                      Service::WithRawMethod_UpdateSnapshot<Service::WithRawMethod_DeleteSnapshots<
                          Service::WithRawMethod_DiffSnapshots<Service::WithRawMethod_ExportSnapshots<
                              Service::WithRawMethod_ImportSnapshots<Service::Service>>>>>>>>>>>>>>>>;

  void MakeState(std::shared_ptr<UnaryCall> call, v1::MakeStateRequest&& message);
  void Step(std::shared_ptr<UnaryCall> call, v1::StepRequest&& message);
  void Scan(std::shared_ptr<UnaryCall> call, v1::ScanRequest&& message);
  void SetArrays(std::shared_ptr<UnaryCall> call, v1::SetArraysRequest&& message);
  void GetArrays(std::shared_ptr<UnaryCall> call, v1::GetArraysRequest&& message);
  void ReadArrays(std::shared_ptr<ServerStreamCall> call, v1::ReadArraysRequest&& message);
  void GetSnapshot(std::shared_ptr<UnaryCall> call, v1::GetSnapshotRequest&& message);
  void ListSnapshots(std::shared_ptr<UnaryCall> call, v1::ListSnapshotsRequest&& message);
  void UpdateSnapshot(std::shared_ptr<UnaryCall> call, const v1::UpdateSnapshotRequest& message);
  void DeleteSnapshots(std::shared_ptr<UnaryCall> call, const v1::DeleteSnapshotsRequest& message);
  void DiffSnapshots(std::shared_ptr<UnaryCall> call, v1::DiffSnapshotsRequest&& message);

  Engine* const engine_;
  const int64_t max_reply_bytes_;
  Generated generated_;
  WorkerPool movers_;  // Exports and imports wait for the store.
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_STATE_SERVICE_H_
