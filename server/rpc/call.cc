#include "server/rpc/call.h"

#include <utility>

#include "absl/time/time.h"
#include "server/rpc/rpc_server.h"
#include "stepwell/base/error_info.h"

namespace stepwell::server {

Call::Call(RpcServer* server) : server_(server) { server_->SlotMade(); }

Call::~Call() { server_->SlotGone(this, started_); }

void Call::Wait() {
  self_ = shared_from_this();
  context_.AsyncNotifyWhenDone(&done_);
  Request(&context_, server_->queue(), &received_);
}

void Call::WhenDraining(absl::AnyInvocable<void()> callback) {
  server_->WhenDraining(this, std::move(callback));
}

absl::Status Call::Draining() {
  return WithErrorInfo(
      absl::UnavailableError("the server is stopping and takes no new calls; call another, or "
                             "again when it has started anew"),
      "DRAINING");
}

CallContext Call::context() {
  const gpr_timespec deadline = context_.raw_deadline();
  CallContext context;
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0) {
    const gpr_timespec realtime = gpr_convert_clock_type(deadline, GPR_CLOCK_REALTIME);
    context.deadline = absl::FromUnixSeconds(realtime.tv_sec) + absl::Nanoseconds(realtime.tv_nsec);
  }
  context.cancelled = std::shared_ptr<const std::atomic<bool>>(shared_from_this(), &cancelled_);
  return context;
}

void Call::OnReceived(bool ok) {
  if (!ok) {  // The server shuts down: no call came, and no done event will.
    self_.reset();
    return;
  }
  started_ = server_->CallStarted();
  Renew();
  server_->HandleSoon(this);
}

void Call::OnDone(bool /*ok*/) {
  if (context_.IsCancelled()) {
    cancelled_.store(true, std::memory_order_relaxed);
    OnCancelled();
  }
  Release();
}

void Call::OnFinished(bool /*ok*/) { Release(); }

void Call::Release() {
  if (--events_due_ == 0) self_.reset();
}

}  // namespace stepwell::server
