// stepwell_bench_echo: the ceiling of everything that goes through gRPC, as lean as gRPC lets a
// completion-queue server be. One thread takes every event. Messages are raw bytes, neither parsed nor built.
// Each of a fixed number of slots serves one call after the other in memory that it keeps. There is nothing
// beside: no health checking, no reflection, no notice of cancelled calls, no draining.
//
//   stepwell_bench_echo REPLY    what Unary and Bidi answer, in web-safe base64
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "bench/echo.grpc.pb.h"
#include "bench/raw_server.h"
#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/proto_buffer_reader.h"

namespace stepwell::bench {
namespace {

using Service =
    Echo::WithRawMethod_Unary<Echo::WithRawMethod_Bidi<Echo::WithRawMethod_Stream<Echo::Service>>>;

// More than the load generator has calls outstanding, so that gRPC never holds one back for want of a slot.
constexpr int kUnarySlots = 128;
constexpr int kStreamSlots = 2;

class Slot {
 public:
  virtual void Proceed(bool ok) = 0;

 protected:
  ~Slot() = default;
};

class UnarySlot final : public Slot {
 public:
  UnarySlot(Service* service, grpc::ServerCompletionQueue* queue, const grpc::ByteBuffer* reply)
      : service_(service), queue_(queue), reply_(reply) {
    Wait();
  }

  void Proceed(bool /*ok*/) override {
    if (answered_) return Wait();
    answered_ = true;
    responder_->Finish(*reply_, grpc::Status::OK, this);
  }

 private:
  void Wait() {
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    answered_ = false;
    service_->RequestUnary(&*context_, &request_, &*responder_, queue_, queue_, this);
  }

  Service* const service_;
  grpc::ServerCompletionQueue* const queue_;
  const grpc::ByteBuffer* const reply_;
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
  bool answered_ = false;
};

// Streams a block of memory that stands ready, without copying it.
class StreamSlot final : public Slot {
 public:
  StreamSlot(Service* service, grpc::ServerCompletionQueue* queue) : service_(service), queue_(queue) {
    Wait();
  }

  void Proceed(bool ok) override {
    if (finished_) return Wait();
    if (!started_) Start();
    if (!ok || sent_ == asked_.byte_count()) {
      finished_ = true;
      writer_->Finish(grpc::Status::OK, this);
      return;
    }
    const int64_t size = std::min(asked_.chunk_bytes(), asked_.byte_count() - sent_);
    writer_->Write(Chunk(size), this);
    sent_ += size;
  }

 private:
  void Wait() {
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    started_ = finished_ = false;
    sent_ = 0;
    service_->RequestStream(&*context_, &request_, &*writer_, queue_, queue_, this);
  }

  void Start() {
    started_ = true;
    grpc::ProtoBufferReader reader(&request_);
    asked_.ParseFromZeroCopyStream(&reader);
    if (static_cast<int64_t>(block_.size()) != asked_.byte_count()) block_.assign(asked_.byte_count(), 1);
  }

  // The next `size` bytes as a Bytes message.
  grpc::ByteBuffer Chunk(int64_t size) {
    constexpr uint8_t kDataTag = Bytes::kDataFieldNumber << 3 | 2;
    uint8_t head[11] = {kDataTag};
    const uint8_t* const end =
        google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(size), head + 1);
    const grpc::Slice slices[] = {
        grpc::Slice(head, static_cast<size_t>(end - head)),
        grpc::Slice(block_.data() + sent_, static_cast<size_t>(size), grpc::Slice::STATIC_SLICE)};
    return grpc::ByteBuffer(slices, 2);
  }

  Service* const service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncWriter<grpc::ByteBuffer>> writer_;
  StreamRequest asked_;
  std::vector<uint8_t> block_;
  int64_t sent_ = 0;
  bool started_ = false;
  bool finished_ = false;
};

// Answers each message of a stream, with one read and one write under way at a time.
class BidiSlot {
 public:
  BidiSlot(Service* service, grpc::ServerCompletionQueue* queue, const grpc::ByteBuffer* reply)
      : service_(service), queue_(queue), reply_(reply) {
    Wait();
  }

 private:
  // An event of the stream.
  class Event final : public Slot {
   public:
    Event(BidiSlot* slot, void (BidiSlot::*proceed)(bool)) : slot_(slot), proceed_(proceed) {}
    void Proceed(bool ok) override { (slot_->*proceed_)(ok); }

   private:
    BidiSlot* const slot_;
    void (BidiSlot::*const proceed_)(bool);
  };

  void Wait() {
    stream_.reset();
    context_.emplace();
    stream_.emplace(&*context_);
    unanswered_ = 0;
    writing_ = ended_ = false;
    service_->RequestBidi(&*context_, &*stream_, queue_, queue_, &started_event_);
  }
  void OnStarted(bool ok) {
    if (ok) stream_->Read(&request_, &read_event_);
  }
  void OnRead(bool ok) {
    if (ok) {
      ++unanswered_;
      stream_->Read(&request_, &read_event_);
    } else {
      ended_ = true;
    }
    Answer();
  }
  void OnWritten(bool /*ok*/) {
    writing_ = false;
    Answer();
  }
  void OnFinished(bool /*ok*/) { Wait(); }
  void Answer() {
    if (writing_) return;
    if (unanswered_ > 0) {
      --unanswered_;
      writing_ = true;
      stream_->Write(*reply_, &written_event_);
    } else if (ended_) {
      stream_->Finish(grpc::Status::OK, &finished_event_);
    }
  }

  Service* const service_;
  grpc::ServerCompletionQueue* const queue_;
  const grpc::ByteBuffer* const reply_;
  Event started_event_{this, &BidiSlot::OnStarted};
  Event read_event_{this, &BidiSlot::OnRead};
  Event written_event_{this, &BidiSlot::OnWritten};
  Event finished_event_{this, &BidiSlot::OnFinished};
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  int unanswered_ = 0;
  bool writing_ = false;
  bool ended_ = false;
};

int Main(int argc, char** argv) {
  std::string reply_bytes;
  if (argc != 2 || !absl::WebSafeBase64Unescape(argv[1], &reply_bytes)) {
    std::cerr << "usage: stepwell_bench_echo REPLY, in web-safe base64\n";
    return 2;
  }
  const grpc::ByteBuffer reply = ToReply(reply_bytes);
  Service service;
  RawServer server(&service);
  if (!server.is_listening()) return 1;

  std::vector<std::unique_ptr<UnarySlot>> unary_slots;
  std::vector<std::unique_ptr<StreamSlot>> stream_slots;
  std::vector<std::unique_ptr<BidiSlot>> bidi_slots;
  for (int i = 0; i < kUnarySlots; ++i) {
    unary_slots.push_back(std::make_unique<UnarySlot>(&service, server.queue(), &reply));
  }
  for (int i = 0; i < kStreamSlots; ++i) {
    stream_slots.push_back(std::make_unique<StreamSlot>(&service, server.queue()));
    bidi_slots.push_back(std::make_unique<BidiSlot>(&service, server.queue(), &reply));
  }
  server.Run<Slot>();
  return 0;
}

}  // namespace
}  // namespace stepwell::bench

int main(int argc, char** argv) { return stepwell::bench::Main(argc, argv); }
