#ifndef STEPWELL_CLIENT_SRC_WATCH_CONNECTION_H_
#define STEPWELL_CLIENT_SRC_WATCH_CONNECTION_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "stepwell/v1/branch_service.grpc.pb.h"

namespace stepwell::client::internal {

// One WatchBranches call of gRPC, from its beginning to its end. It reads one message ahead and no more, so
// that what is not taken waits at the server. Thread-safe, but for Receive, which one thread calls.
class WatchConnection final : public grpc::ClientReadReactor<v1::WatchBranchesResponse> {
 public:
  // Starts the call. `stub` must outlive this.
  WatchConnection(v1::BranchService::StubInterface* stub, v1::WatchBranchesRequest request);

  // Cancels the call and waits for its end, on a thread that is none of gRPC's: the context may hold the
  // channel.
  ~WatchConnection() override;

  // Waits for the next message, or the error that the call ended with, which is never OK. Nothing: `deadline`
  // came before.
  std::optional<absl::StatusOr<v1::WatchBranchesResponse>> Receive(absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNews() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return has_message_ || end_.has_value(); }
  bool IsOver() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return end_.has_value(); }

  grpc::ClientContext context_;
  const v1::WatchBranchesRequest request_;
  absl::Mutex mutex_;
  v1::WatchBranchesResponse message_ ABSL_GUARDED_BY(mutex_);  // gRPC's, while it reads.
  bool has_message_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing will be read any more.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_WATCH_CONNECTION_H_
