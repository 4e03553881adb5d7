#include "server/rpc/client_stream_call.h"

namespace stepwell::server {

void ClientStreamCall::Handle() {
  if (reader_.Deliver()) return;
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<ClientStreamCall>(shared_from_this()));
}

}  // namespace stepwell::server
