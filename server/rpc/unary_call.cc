#include "server/rpc/unary_call.h"

namespace stepwell::server {

void UnaryCall::Handle() {
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<UnaryCall>(shared_from_this()));
}

}  // namespace stepwell::server
