#ifndef STEPWELL_SERVER_RPC_CALL_H_
#define STEPWELL_SERVER_RPC_CALL_H_

#include <atomic>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_stream.h"
#include "grpcpp/support/async_unary_call.h"
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

  // The request message as it came.
  const grpc::ByteBuffer& request() const { return request_; }

  // The client's deadline, and whether it has gone away.
  CallContext context();

  // For RpcServer: calls the handler.
  virtual void Handle() = 0;

 protected:
  explicit Call(RpcServer* server);

  // Asks gRPC for the next call of the method that this slot is for.
  virtual void Request(grpc::ServerContext* context, grpc::ByteBuffer* request,
                       grpc::ServerCompletionQueue* queue, Tag* received) = 0;
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
  grpc::ByteBuffer request_;
  std::atomic<bool> cancelled_ = false;
  bool started_ = false;
  std::shared_ptr<Call> self_;  // While events are due.
  int events_due_ = 2;          // Once a call has come: finished and done.
  MemberTag<Call, &Call::OnReceived> received_{this};
  MemberTag<Call, &Call::OnDone> done_{this};
};

// One request, one reply.
class UnaryCall final : public Call {
 public:
  // Gets a call with its request and answers it once, now or later.
  using Handler = absl::AnyInvocable<void(std::shared_ptr<UnaryCall>) const>;
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

  // How the generated service is asked for a call (RequestStep and its like), and what handles it.
  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*, grpc::ServerCompletionQueue*,
                            Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  UnaryCall(RpcServer* server, const Method* method)
      : Call(server), method_(method), responder_(&server_context()) {}

  // Answers the call; once.
  void Answer(absl::StatusOr<grpc::ByteBuffer> reply);

  void Handle() override;

  // For RpcServer: sends what the call was answered with.
  void Send();

 private:
  void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, grpc::ServerCompletionQueue* queue,
               Tag* received) override {
    method_->request(context, request, &responder_, queue, received);
  }
  void Renew() override { std::make_shared<UnaryCall>(&server(), method_)->Wait(); }
  void OnAnswered(bool ok) { OnFinished(ok); }

  const Method* const method_;
  Responder responder_;
  absl::StatusOr<grpc::ByteBuffer> reply_;
  MemberTag<UnaryCall, &UnaryCall::OnAnswered> answered_{this};
};

// One request, a stream of replies, which are pulled one by one as the client takes them: what waits for a
// slow client is one message.
class ServerStreamCall final : public Call {
 public:
  using Handler = absl::AnyInvocable<void(std::shared_ptr<ServerStreamCall>) const>;
  using Responder = grpc::ServerAsyncWriter<grpc::ByteBuffer>;

  // Makes the next message: nothing when there is none yet, after which Resume asks again; one that is not
  // Valid() ends the stream, an error fails it. Called on the completion-queue thread or by Resume, one call
  // at a time.
  using Source = absl::AnyInvocable<absl::StatusOr<std::optional<grpc::ByteBuffer>>()>;

  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*, grpc::ServerCompletionQueue*,
                            Tag*) const>
        request;
    Handler handler;
  };

  ServerStreamCall(RpcServer* server, const Method* method)
      : Call(server), method_(method), responder_(&server_context()) {}

  // Sends what `source` makes, or fails the call; once.
  void Answer(absl::StatusOr<Source> source);

  // The source may have a message now. Thread-safe.
  void Resume();

  void Handle() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, grpc::ServerCompletionQueue* queue,
               Tag* received) override {
    method_->request(context, request, &responder_, queue, received);
  }
  void Renew() override { std::make_shared<ServerStreamCall>(&server(), method_)->Wait(); }
  void OnCancelled() override { Resume(); }
  void SendNext();
  void OnWritten(bool ok);
  void OnAnswered(bool ok) { OnFinished(ok); }

  const Method* const method_;
  Responder responder_;
  Source source_;
  enum class Pace { kSending, kPaused, kResumed };
  std::atomic<Pace> pace_ = Pace::kSending;
  MemberTag<ServerStreamCall, &ServerStreamCall::OnWritten> written_{this};
  MemberTag<ServerStreamCall, &ServerStreamCall::OnAnswered> answered_{this};
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_CALL_H_
