#include "stepwell/client/stream.h"

#include <utility>

#include "client/src/resuming_stream.h"

namespace stepwell::client {

Stream::Stream(std::unique_ptr<internal::ResumingStream> stream) : stream_(std::move(stream)) {}

Stream::~Stream() = default;

Version Stream::start() const { return stream_->start(); }

absl::Status Stream::Write(StreamStep step) { return stream_->Write(std::move(step)); }

void Stream::WritesDone() { stream_->WritesDone(); }

std::optional<absl::StatusOr<StepResult>> Stream::Read() { return stream_->Read(); }

absl::Status Stream::Finish() { return stream_->Finish(); }

void Stream::Cancel() { stream_->Cancel(); }

}  // namespace stepwell::client
