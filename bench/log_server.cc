// stepwell_bench_log: the ceiling of what is answered once it is durable: a bare log with group commit behind
// the raw server of echo_server.cc. One thread takes every event; another appends the requests of all that
// wait to a file, with one write, syncs it once, and answers them.
//
//   stepwell_bench_log REPLY FILE    what Unary answers, in web-safe base64; the log, which is made anew
#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/synchronization/mutex.h"
#include "bench/echo.grpc.pb.h"
#include "bench/raw_server.h"
#include "grpcpp/grpcpp.h"

namespace stepwell::bench {
namespace {

using LogService = Echo::WithRawMethod_Unary<Echo::Service>;

// More than the load generator has calls outstanding.
constexpr int kLogSlots = 128;

class LogSlot;

// The thread that writes. Thread-safe.
class Log {
 public:
  explicit Log(int file) : file_(file), thread_([this] { Run(); }) { thread_.detach(); }

  // Answers `slot` when its request is on disk.
  void Append(LogSlot* slot) {
    const absl::MutexLock lock(&mutex_);
    waiting_.push_back(slot);
  }

 private:
  void Run();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !waiting_.empty(); }

  const int file_;
  absl::Mutex mutex_;
  std::vector<LogSlot*> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class LogSlot {
 public:
  LogSlot(LogService* service, grpc::ServerCompletionQueue* queue, Log* log, const grpc::ByteBuffer* reply)
      : service_(service), queue_(queue), log_(log), reply_(reply) {
    Wait();
  }

  void Proceed(bool /*ok*/) {
    if (answered_) return Wait();
    answered_ = true;
    log_->Append(this);
  }

  void AddTo(std::string& bytes) const {
    std::vector<grpc::Slice> slices;
    if (!request_.Dump(&slices).ok()) return;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  void Answer() { responder_->Finish(*reply_, grpc::Status::OK, this); }

 private:
  void Wait() {
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    answered_ = false;
    service_->RequestUnary(&*context_, &request_, &*responder_, queue_, queue_, this);
  }

  LogService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  Log* const log_;
  const grpc::ByteBuffer* const reply_;
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
  bool answered_ = false;
};

void Log::Run() {
  std::vector<LogSlot*> slots;
  std::string bytes;
  while (true) {
    {
      const absl::MutexLock lock(&mutex_, absl::Condition(this, &Log::HasWork));
      slots.swap(waiting_);
    }
    for (const LogSlot* slot : slots) slot->AddTo(bytes);
    if (write(file_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        fdatasync(file_) != 0) {
      std::cerr << "stepwell_bench_log: cannot write the log\n";
      std::abort();
    }
    for (LogSlot* slot : slots) slot->Answer();
    slots.clear();
    bytes.clear();
  }
}

int Main(int argc, char** argv) {
  std::string reply_bytes;
  if (argc != 3 || !absl::WebSafeBase64Unescape(argv[1], &reply_bytes)) {
    std::cerr << "usage: stepwell_bench_log REPLY FILE, the reply in web-safe base64\n";
    return 2;
  }
  const int file = open(argv[2], O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) {
    std::cerr << "stepwell_bench_log: cannot open " << argv[2] << "\n";
    return 1;
  }
  const grpc::ByteBuffer reply = ToReply(reply_bytes);
  LogService service;
  RawServer server(&service);
  if (!server.is_listening()) return 1;

  Log log(file);
  std::vector<std::unique_ptr<LogSlot>> slots;
  for (int i = 0; i < kLogSlots; ++i) {
    slots.push_back(std::make_unique<LogSlot>(&service, server.queue(), &log, &reply));
  }
  server.Run<LogSlot>();
  return 0;
}

}  // namespace
}  // namespace stepwell::bench

int main(int argc, char** argv) { return stepwell::bench::Main(argc, argv); }
