#include "bench/stream_load.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"

namespace stepwell::bench {
namespace {

// No reply takes so long; one that does is a server that hangs.
constexpr auto kReplyPatience = std::chrono::seconds(30);

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

// One call, with one write and one read under way at a time.
class StreamLoad::Stream {
 public:
  explicit Stream(const StreamLoad& load)
      : load_(load),
        first_(ToBuffer(load.first_)),
        message_(ToBuffer(load.message_)),
        stub_(load.channel_),
        call_(stub_.PrepareCall(&context_, load.method_, &queue_)) {}

  ~Stream() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Sends messages while `goes_on`() says so, and takes the replies of all of them.
  template <typename GoesOn>
  absl::Status Run(GoesOn goes_on) {
    call_->StartCall(kStarted);
    bool ends = false;  // Nothing more is sent.
    while (!ends || received_ < sent_) {
      void* tag = nullptr;
      bool ok = false;
      if (queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kReplyPatience) !=
          grpc::CompletionQueue::GOT_EVENT) {
        return absl::DeadlineExceededError(absl::StrCat(load_.method_, ": the server does not answer"));
      }
      if (!ok) return Failure();
      if (tag == kStarted) {
        Write(first_);
        call_->Read(&reply_, kRead);
      } else if (tag == kWritten) {
        writing_ = false;
      } else {
        ++received_;
        if (!goes_on()) ends = true;
        if (!ends || received_ < sent_) call_->Read(&reply_, kRead);
      }
      if (!ends && !writing_ && sent_ > 0 && sent_ - received_ < load_.in_flight_) Write(message_);
    }
    return absl::OkStatus();
  }

  int64_t received() const { return received_; }
  const grpc::ByteBuffer& reply() const { return reply_; }

 private:
  static inline char tags_[3];
  static constexpr void* kStarted = &tags_[0];
  static constexpr void* kWritten = &tags_[1];
  static constexpr void* kRead = &tags_[2];

  void Write(const grpc::ByteBuffer& message) {
    writing_ = true;
    ++sent_;
    call_->Write(message, kWritten);
  }

  absl::Status Failure() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    do {
      if (!queue_.Next(&tag, &ok)) break;
    } while (tag != nullptr);
    return absl::UnavailableError(absl::StrCat(load_.method_, ": ", status.error_message()));
  }

  const StreamLoad& load_;
  const grpc::ByteBuffer first_;
  const grpc::ByteBuffer message_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer reply_;
  int64_t sent_ = 0;
  int64_t received_ = 0;
  bool writing_ = false;
};

StreamLoad::StreamLoad(std::shared_ptr<grpc::Channel> channel, std::string method,
                       const google::protobuf::Message& first, const google::protobuf::Message& message,
                       int in_flight)
    : channel_(std::move(channel)),
      method_(std::move(method)),
      first_(first.SerializeAsString()),
      message_(message.SerializeAsString()),
      in_flight_(in_flight) {}

absl::StatusOr<double> StreamLoad::RepliesPerSecond(absl::Duration time) {
  Stream stream(*this);
  const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  const std::chrono::steady_clock::time_point end = begin + absl::ToChronoNanoseconds(time);
  const absl::Status run = stream.Run([end] { return std::chrono::steady_clock::now() < end; });
  if (!run.ok()) return run;
  return static_cast<double>(stream.received()) /
         std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

absl::StatusOr<std::string> StreamLoad::OneReply() {
  Stream stream(*this);
  // The first reply is that of the message that opens the stream.
  const absl::Status run = stream.Run([&stream] { return stream.received() < 2; });
  if (!run.ok()) return run;
  std::vector<grpc::Slice> slices;
  stream.reply().Dump(&slices);
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace stepwell::bench
