#include "server/rpc/server_stream_call.h"

namespace stepwell::server {

void ServerStreamCall::Handle() {
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<ServerStreamCall>(shared_from_this()));
}

}  // namespace stepwell::server
