#include "bench/load.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/interleave.h"

namespace stepwell::bench {
namespace {

using Clock = std::chrono::steady_clock;

// No call takes so long; one that does is a server that hangs.
constexpr auto kPatience = std::chrono::seconds(30);

// The next event of `queue`.
absl::StatusOr<std::pair<void*, bool>> NextEvent(grpc::CompletionQueue& queue) {
  std::pair<void*, bool> event;
  if (queue.AsyncNext(&event.first, &event.second, std::chrono::system_clock::now() + kPatience) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return absl::DeadlineExceededError("the server does not answer");
  }
  return event;
}

}  // namespace

absl::Status FromGrpc(const std::string& method, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(method, ": ", status.error_message()));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

class StepLoad::Stream {
 public:
  Stream(StepLoad* load, v1::StepRequest request) : load_(load), request_(std::move(request)) {}

  void Start() {
    call_.reset();
    context_.emplace();
    begin_ = Clock::now();
    call_ = load_->stub_.PrepareUnaryCall(&*context_, load_->method_, request_, &load_->queue_);
    call_->StartCall();
    call_->Finish(&reply_, &status_, this);
  }

  // Takes the reply of the call that has ended; returns what the call took, in microseconds.
  absl::StatusOr<double> Finish() {
    const std::chrono::duration<double, std::micro> taken = Clock::now() - begin_;
    if (!status_.ok()) return FromGrpc(load_->method_, status_);
    request_.mutable_state()->set_version(reply_.version());
    return taken.count();
  }

 private:
  StepLoad* const load_;
  v1::StepRequest request_;
  v1::StepResponse reply_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::StepResponse>> call_;
  Clock::time_point begin_;
};

StepLoad::StepLoad(std::shared_ptr<grpc::Channel> channel, std::string method,
                   std::vector<v1::StepRequest> requests)
    : stub_(std::move(channel)), method_(std::move(method)) {
  for (v1::StepRequest& request : requests) {
    streams_.push_back(std::make_unique<Stream>(this, std::move(request)));
  }
}

StepLoad::~StepLoad() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

absl::StatusOr<StepLoad::Run> StepLoad::StepFor(absl::Duration time) {
  Run run;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + absl::ToChronoNanoseconds(time);
  for (const auto& stream : streams_) stream->Start();
  for (size_t outstanding = streams_.size(); outstanding > 0;) {
    const absl::StatusOr<std::pair<void*, bool>> event = NextEvent(queue_);
    if (!event.ok()) return event.status();
    auto* const stream = static_cast<Stream*>(event->first);
    const absl::StatusOr<double> taken = stream->Finish();
    if (!taken.ok()) return taken.status();
    run.latencies_micros.push_back(*taken);
    if (Clock::now() < end) {
      stream->Start();
    } else {
      --outstanding;
    }
  }
  run.elapsed = absl::FromChrono(Clock::now() - begin);
  return run;
}

absl::StatusOr<double> StepLoad::CallsPerSecond(absl::Duration time) {
  const absl::StatusOr<Run> run = StepFor(time);
  if (!run.ok()) return run.status();
  return static_cast<double>(run->latencies_micros.size()) / absl::ToDoubleSeconds(run->elapsed);
}

absl::StatusOr<double> StepLoad::MedianLatencyMicros(absl::Duration time) {
  absl::StatusOr<Run> run = StepFor(time);
  if (!run.ok()) return run.status();
  return Median(std::move(run->latencies_micros));
}

absl::StatusOr<int64_t> ReadStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                                   const google::protobuf::Message& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request.SerializeAsString());
  const auto stream = stub.PrepareCall(&context, method, &queue);
  // Every operation waits for the one before; nothing else is on the queue.
  const auto done = [&queue]() -> absl::StatusOr<bool> {
    const absl::StatusOr<std::pair<void*, bool>> event = NextEvent(queue);
    if (!event.ok()) return event.status();
    return event->second;
  };
  stream->StartCall(nullptr);
  absl::StatusOr<bool> ok = done();
  if (ok.ok() && *ok) {
    stream->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    ok = done();
  }
  int64_t bytes = 0;
  grpc::ByteBuffer message;
  while (ok.ok() && *ok) {
    stream->Read(&message, nullptr);
    ok = done();
    if (ok.ok() && *ok) bytes += static_cast<int64_t>(message.Length());
  }
  if (!ok.ok()) {
    context.TryCancel();
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  const absl::StatusOr<bool> finished = done();
  queue.Shutdown();
  if (!ok.ok()) return ok.status();
  if (!finished.ok()) return finished.status();
  if (!status.ok()) return FromGrpc(method, status);
  return bytes;
}

}  // namespace stepwell::bench
