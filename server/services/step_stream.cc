#include "server/services/step_stream.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/convert/decode.h"
#include "server/convert/encode.h"
#include "server/convert/step_messages.h"
#include "server/rpc/status.h"
#include "stepwell/storage/errors.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

constexpr size_t kMaxInFlight = 128;

absl::StatusOr<StepRequest> DecodeMessage(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<v1::StepStreamRequest> message = ParseRequest<v1::StepStreamRequest>(bytes);
  if (!message.ok()) return message.status();
  if (message->has_step()) return DecodeStep(std::move(*message->mutable_step()));
  return absl::InvalidArgumentError(message->has_open()
                                        ? "the message is open, and the stream is; expected step"
                                        : "the message is neither open nor step; expected step");
}

grpc::ByteBuffer ToReply(const absl::StatusOr<StepResult>& result) {
  if (result.ok()) {
    MessageWriter writer;
    writer.AddMessage(v1::StepStreamResponse::kResponseFieldNumber, WriteStep(*result));
    return writer.Finish();
  }
  v1::StepStreamResponse message;
  *message.mutable_status() = ToProto(result.status());
  return Serialize(message);
}

// One stream. Its messages come on the completion-queue thread, its steps end on any; whoever changes
// something calls Advance, which one thread at a time carries out.
class StepStream final : public std::enable_shared_from_this<StepStream> {
 public:
  StepStream(Engine* engine, int64_t max_bytes, std::shared_ptr<BidiStreamCall> call)
      : engine_(engine), max_bytes_(max_bytes), call_(std::move(call)), context_(call_->context()) {}

  // Reads the first message.
  void Start() {
    call_->WhenDraining([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Drain();
    });
    call_->Read([self = shared_from_this()](std::optional<grpc::ByteBuffer> bytes) { self->Open(bytes); });
  }

 private:
  enum class Action { kNone, kSend, kRead, kStep };
  struct Started {
    int64_t number = 0;                // Counts the stream's steps.
    absl::StatusOr<StepRequest> step;  // An error is its answer.
  };

  void Open(const std::optional<grpc::ByteBuffer>& bytes);
  void Open(StateRef state, std::optional<Version> expected_head);
  void OnOpened(const absl::StatusOr<Version>& version) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRequest(const std::optional<grpc::ByteBuffer>& bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnVisible(Version version) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStepped(int64_t step, const absl::StatusOr<StepResult>& result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  Action NextAction(std::optional<Started>& started) ABSL_LOCKS_EXCLUDED(mutex_);
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run(Started started);

  // The source of the call's replies.
  absl::StatusOr<std::optional<grpc::ByteBuffer>> NextReply() ABSL_LOCKS_EXCLUDED(mutex_);

  Engine* const engine_;
  const int64_t max_bytes_;
  const std::shared_ptr<BidiStreamCall> call_;
  const CallContext context_;

  // Set before the stream is open.
  std::optional<BranchName> branch_;  // Absent: it was opened on a version.
  std::optional<Durability> durability_;

  struct Waiting {
    absl::StatusOr<StepRequest> step;  // An error is its answer.
    int64_t byte_count = 0;
  };
  struct Reply {
    int64_t step_bytes = 0;                 // Of the step's message, until it has ended.
    std::optional<grpc::ByteBuffer> bytes;  // Once it has.
  };
  absl::Mutex mutex_;
  Version version_ ABSL_GUARDED_BY(mutex_) = Version(0);  // That the next step starts from.
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<Reply> replies_ ABSL_GUARDED_BY(mutex_);  // In the order of the steps.
  int64_t sent_count_ ABSL_GUARDED_BY(mutex_) = 0;     // Of the replies before those.
  int64_t step_bytes_ ABSL_GUARDED_BY(mutex_) = 0;     // Of the messages that wait or run.
  int64_t reply_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;  // The call, with replies or an error.
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<int64_t> running_ ABSL_GUARDED_BY(mutex_);  // The step that the next one waits for.
  bool requests_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_news_ ABSL_GUARDED_BY(mutex_) = false;  // For the source, since the call was last resumed.
  bool advancing_ ABSL_GUARDED_BY(mutex_) = false;
};

void StepStream::Open(const std::optional<grpc::ByteBuffer>& bytes) {
  if (!bytes.has_value()) {
    return Fail(absl::InvalidArgumentError("the stream ended before its first message; expected open"));
  }
  absl::StatusOr<v1::StepStreamRequest> message = ParseRequest<v1::StepStreamRequest>(*bytes);
  if (!message.ok()) return Fail(message.status());
  if (!message->has_open()) {
    return Fail(absl::InvalidArgumentError("the first message of the stream is not open"));
  }
  v1::StepStreamRequest::Open& open = *message->mutable_open();
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*open.mutable_state()));
  if (!state.ok()) return Fail(state.status());
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(open);
  if (!expected_head.ok()) return Fail(expected_head.status());
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(open.durability());
  if (!durability.ok()) return Fail(durability.status());
  durability_ = *durability;
  Open(*std::move(state), *expected_head);
}

void StepStream::Open(StateRef state, std::optional<Version> expected_head) {
  if (auto* branch = std::get_if<BranchName>(&state)) {
    branch_ = std::move(*branch);
    return engine_->GetBranch({branch_->value}, [self = shared_from_this(),
                                                 expected_head](const absl::StatusOr<BranchRecord>& branch) {
      if (!branch.ok()) return self->OnOpened(branch.status());
      if (expected_head.has_value() && *expected_head != branch->head) {
        return self->OnOpened(HeadMoved(branch->name, *expected_head, branch->head));
      }
      self->OnOpened(branch->head);
    });
  }
  if (expected_head.has_value()) {
    return Fail(absl::InvalidArgumentError(
        "expected_head is given with a version; expected it with a branch, whose head it is"));
  }
  engine_->GetSnapshot({std::move(state)},
                       [self = shared_from_this()](const absl::StatusOr<SnapshotInfo>& snapshot) {
                         if (!snapshot.ok()) return self->OnOpened(snapshot.status());
                         self->OnOpened(snapshot->record->version);
                       });
}

void StepStream::OnOpened(const absl::StatusOr<Version>& version) {
  if (!version.ok()) return Fail(version.status());
  v1::StepStreamResponse opened;
  opened.set_opened(version->value());
  {
    const absl::MutexLock lock(&mutex_);
    if (std::exchange(answered_, true)) return;
    version_ = *version;
    replies_.push_back({.bytes = Serialize(opened)});
    reply_bytes_ += static_cast<int64_t>(replies_.back().bytes->Length());
  }
  call_->Answer(BidiStreamCall::Source([self = shared_from_this()] { return self->NextReply(); }));
  Advance();
}

void StepStream::Fail(const absl::Status& status) {
  {
    const absl::MutexLock lock(&mutex_);
    if (std::exchange(answered_, true)) return;
  }
  call_->Answer(status);
}

// What was read runs and is answered; the rest is the client's to send again, elsewhere.
void StepStream::Drain() {
  bool is_open = false;
  {
    const absl::MutexLock lock(&mutex_);
    draining_ = true;
    has_news_ = true;
    is_open = answered_;
  }
  if (!is_open) return Fail(Call::Draining());
  Advance();
}

void StepStream::OnRequest(const std::optional<grpc::ByteBuffer>& bytes) {
  std::optional<Waiting> next;
  if (bytes.has_value()) next = Waiting{DecodeMessage(*bytes), static_cast<int64_t>(bytes->Length())};
  {
    const absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!next.has_value()) {
      requests_ended_ = true;
      has_news_ = true;
    } else if (!draining_) {
      step_bytes_ += next->byte_count;
      waiting_.push_back(*std::move(next));
    }
  }
  Advance();
}

// The next step need not wait for the disk: it starts from this one's version, and steps share a sync.
void StepStream::OnVisible(Version version) {
  {
    const absl::MutexLock lock(&mutex_);
    version_ = version;
    running_.reset();
  }
  Advance();
}

void StepStream::OnStepped(int64_t step, const absl::StatusOr<StepResult>& result) {
  grpc::ByteBuffer bytes = ToReply(result);
  {
    const absl::MutexLock lock(&mutex_);
    if (running_ == step) {
      if (result.ok()) version_ = result->snapshot->version();
      running_.reset();
    }
    Reply& reply = replies_[static_cast<size_t>(step - sent_count_)];
    step_bytes_ -= std::exchange(reply.step_bytes, 0);
    reply_bytes_ += static_cast<int64_t>(bytes.Length());
    reply.bytes = std::move(bytes);
    has_news_ = has_news_ || step == sent_count_;
  }
  Advance();
}

void StepStream::Advance() {
  {
    const absl::MutexLock lock(&mutex_);
    if (std::exchange(advancing_, true)) return;  // Whoever is at it will see what there is now to do.
  }
  while (true) {
    std::optional<Started> started;
    switch (NextAction(started)) {
      case Action::kNone:
        return;
      case Action::kSend:
        call_->Resume();
        break;
      case Action::kRead:
        call_->Read([self = shared_from_this()](const std::optional<grpc::ByteBuffer>& bytes) {
          self->OnRequest(bytes);
        });
        break;
      case Action::kStep:
        Run(*std::move(started));
        break;
    }
  }
}

// Replies leave and the next message is asked for before a step runs, as it may run inside the call.
StepStream::Action StepStream::NextAction(std::optional<Started>& started) {
  const absl::MutexLock lock(&mutex_);
  if (std::exchange(has_news_, false)) return Action::kSend;
  if (MayRead()) {
    reading_ = true;
    return Action::kRead;
  }
  if (!running_.has_value() && !waiting_.empty() && reply_bytes_ < max_bytes_) {
    if (context_.Check().ok()) {
      running_ = sent_count_ + std::ssize(replies_);
      replies_.push_back({.step_bytes = waiting_.front().byte_count});
      started = Started{*running_, std::move(waiting_.front().step)};
      waiting_.pop_front();
      return Action::kStep;
    }
    waiting_.clear();  // Nobody waits for them any more.
  }
  advancing_ = false;
  return Action::kNone;
}

bool StepStream::MayRead() const {
  const size_t in_flight = waiting_.size() + replies_.size();
  return answered_ && !reading_ && !requests_ended_ && !draining_ && in_flight < kMaxInFlight &&
         step_bytes_ < max_bytes_ && reply_bytes_ < max_bytes_;
}

void StepStream::Run(Started started) {
  absl::StatusOr<StepRequest>& step = started.step;
  if (!step.ok()) return OnStepped(started.number, step.status());
  {
    const absl::MutexLock lock(&mutex_);
    if (branch_.has_value()) {
      step->state = *branch_;
      step->expected_head = version_;
    } else {
      step->state = version_;
    }
  }
  step->durability = durability_;
  step->max_reply_bytes = max_bytes_;
  step->call = context_;
  step->on_visible = [self = shared_from_this()](Version version) { self->OnVisible(version); };
  engine_->Step(*std::move(step),
                [self = shared_from_this(), number = started.number](
                    const absl::StatusOr<StepResult>& result) { self->OnStepped(number, result); });
}

absl::StatusOr<std::optional<grpc::ByteBuffer>> StepStream::NextReply() {
  std::optional<grpc::ByteBuffer> reply;
  {
    const absl::MutexLock lock(&mutex_);
    if (!replies_.empty() && replies_.front().bytes.has_value()) {
      reply = std::move(replies_.front().bytes);
      replies_.pop_front();
      ++sent_count_;
      reply_bytes_ -= static_cast<int64_t>(reply->Length());
    } else if (!replies_.empty() || !waiting_.empty() || !(requests_ended_ || draining_)) {
      return std::nullopt;
    } else if (requests_ended_) {
      return grpc::ByteBuffer();
    } else {
      return Call::Draining();
    }
  }
  Advance();  // There may be room for more now.
  return reply;
}

}  // namespace

void ServeStepStream(Engine* engine, int64_t max_message_bytes, std::shared_ptr<BidiStreamCall> call) {
  std::make_shared<StepStream>(engine, max_message_bytes, std::move(call))->Start();
}

}  // namespace stepwell::server
