#ifndef STEPWELL_BENCH_RAW_SERVER_H_
#define STEPWELL_BENCH_RAW_SERVER_H_

#include <iostream>
#include <memory>
#include <string>

#include "grpcpp/grpcpp.h"

namespace stepwell::bench {

// A server as lean as gRPC lets one be, for a ceiling: one completion queue, for one thread, on any free port
// of the loopback. Thread-compatible.
class RawServer {
 public:
  // Listens, or is_listening() is false. `service` must outlive this.
  explicit RawServer(grpc::Service* service) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
  }

  bool is_listening() const { return server_ != nullptr; }
  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Says where it listens, and gives each event to the `Slot` that is its tag, until a signal ends the
  // process.
  template <typename Slot>
  void Run() {
    std::cout << "listening on 127.0.0.1:" << port_ << std::endl;
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) static_cast<Slot*>(tag)->Proceed(ok);
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
};

// What a raw server answers with: the bytes of a message.
inline grpc::ByteBuffer ToReply(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_RAW_SERVER_H_
