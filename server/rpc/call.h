#ifndef STEPWELL_SERVER_RPC_CALL_H_
#define STEPWELL_SERVER_RPC_CALL_H_

#include <atomic>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/tag.h"
#include "stepwell/engine/call_context.h"

namespace stepwell::server {

class RpcServer;

// One RPC, from the slot that waits for it to its last event on the completion queue: what calls of every
// kind share. A call keeps itself alive while events are due, and its handler holds a reference until it has
// answered. Events arrive on the completion-queue thread, one at a time; a handler may answer from any
// thread.
class Call : public std::enable_shared_from_this<Call> {
 public:
  virtual ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Waits for one call of its method.
  void Wait();

  // The client's deadline, and whether it has gone away.
  CallContext context();

  // Calls `callback` once, on any thread, when the server begins to drain, or at once when it has begun: for
  // calls that would go on for as long as their client likes. It should hold what it needs weakly: unless
  // called, it lives as long as this.
  void WhenDraining(absl::AnyInvocable<void()> callback);

  // What a call that the draining server does not let begin, or go on, is answered with.
  static absl::Status Draining();

  // For RpcServer: calls the handler, or gives it the request that it has asked for.
  virtual void Handle() = 0;

  // For RpcServer: sends what there is to be sent.
  virtual void Send() = 0;

 protected:
  explicit Call(RpcServer* server);

  // Asks gRPC for the next call of the method that this slot is for.
  virtual void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) = 0;
  // A call has come: puts a new slot in this one's place.
  virtual void Renew() = 0;

  // Whether the call that has come is to be handled: not when the server drains.
  bool is_started() const { return started_; }

  // The client has gone: what waits for it should end.
  virtual void OnCancelled() {}
  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // To call when the status has left.
  void OnFinished(bool ok);

  RpcServer& server() { return *server_; }
  grpc::ServerContext& server_context() { return context_; }

 private:
  void OnReceived(bool ok);
  void OnDone(bool ok);
  void Release();

  RpcServer* const server_;
  grpc::ServerContext context_;
  std::atomic<bool> cancelled_ = false;
  bool started_ = false;
  std::shared_ptr<Call> self_;  // While events are due.
  int events_due_ = 2;          // Once a call has come: finished and done.
  MemberTag<Call, &Call::OnReceived> received_{this};
  MemberTag<Call, &Call::OnDone> done_{this};
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_CALL_H_
