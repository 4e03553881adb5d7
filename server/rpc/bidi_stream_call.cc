#include "server/rpc/bidi_stream_call.h"

namespace stepwell::server {

void BidiStreamCall::Handle() {
  if (reader_.Deliver()) return;
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<BidiStreamCall>(shared_from_this()));
}

}  // namespace stepwell::server
