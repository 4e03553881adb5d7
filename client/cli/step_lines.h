#ifndef STEPWELL_CLIENT_CLI_STEP_LINES_H_
#define STEPWELL_CLIENT_CLI_STEP_LINES_H_

#include <cstdint>
#include <deque>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/cli/specs.h"
#include "stepwell/client/stream.h"

namespace stepwell::cli {

// Reads lines, each the inputs of a step as one JSON object, and writes the steps to a stream, on a thread of
// its own: it waits for lines while others print what was answered. Blank lines are passed over. Thread-safe.
class StepLines {
 public:
  // A line whose step was written, or that is no step and says why.
  struct Line {
    int64_t number = 0;  // From 1.
    absl::Status status;
  };

  // Starts to read. `step` is what the steps have in common. `in` must outlive the process, and `stream` must
  // live until End returns.
  static std::shared_ptr<StepLines> Start(std::istream* in, SpecList specs, client::StreamStep step,
                                          client::Stream* stream);

  // Waits for the next line; nothing after the last.
  std::optional<Line> Next() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when no step is being written and none will be, though the thread may still wait for a line.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  StepLines(std::istream* in, SpecList specs, client::StreamStep step, client::Stream* stream)
      : in_(in), specs_(std::move(specs)), step_(std::move(step)), stream_(stream) {}

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<client::StreamStep> Parse(absl::string_view text) const;
  // Adds the line, and lets its step be written; false after End.
  bool Add(Line line) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasLine() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_ || !lines_.empty(); }
  bool IsNotWriting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !writing_; }

  std::istream* const in_;
  const SpecList specs_;
  const client::StreamStep step_;
  client::Stream* const stream_;

  absl::Mutex mutex_;
  std::deque<Line> lines_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Every line was read, or the stream has ended.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;     // By End.
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_STEP_LINES_H_
