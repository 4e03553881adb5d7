#ifndef STEPWELL_CLIENT_STREAM_H_
#define STEPWELL_CLIENT_STREAM_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

class Client;

namespace internal {
class ResumingStream;
}  // namespace internal

/// Where a stream starts, and how it goes.
struct StreamRequest {
  StateRef state;                        ///< On a branch, the stream's steps move its head.
  std::optional<Version> expected_head;  ///< Start only if the branch's head is this version.
  Durability durability = Durability::kServerDefault;
  size_t max_outstanding =
      64;              ///< Steps that are written and not yet read; Write waits for room. At least 1.
  bool resume = true;  ///< Go on by itself after the connection broke.
};

/// One step of a stream; StepRequest says what the fields mean.
struct StreamStep {
  std::string method = "step";
  NamedArrays inputs;
  std::vector<std::string> output_names;
  std::vector<ArraySelector> fetch;
  bool keep = true;
  bool check_finite = false;
  RevisionChoice revision;
  bool adapt_state = false;
  Labels labels;
};

/// Steps one after the other, each from the version that the one before made, many of them under way at once:
///
///     auto stream = client->OpenStream({.state = BranchName{"live"}});
///     std::thread writing([&] {
///       for (…) (*stream)->Write({.inputs = {{"x", …}}});
///       (*stream)->WritesDone();
///     });
///     while (auto result = (*stream)->Read()) …  // Of the steps in their order, an error for one that
///     failed. absl::Status status = (*stream)->Finish();
///
/// A step that fails leaves the stream where it was; the next goes on from there. On a branch each step is
/// ABORTED (HEAD_MOVED) once another call has moved the head.
///
/// When the connection breaks (UNAVAILABLE), Read opens another, with the pauses of RetryOptions, for as long
/// as CallOptions::timeout says since the break (with max_attempts 1, never), and every step is still done
/// once and answered once:
///
/// - On a branch, the stream labels each snapshot that it makes with its own number and that of the step
///   ("stepwell.stream": "3f2a…/17"), and reads the branch's history back to the last version it knows. Steps
///   it finds there were committed, though their answers were lost: their outputs are computed again, from
///   their parents and without keeping anything. The others are sent again, on a stream that starts only if
///   the head is the last of those. Should a step of the broken stream still be committed meanwhile, the
///   server lets one of the two have the head, and the history is read anew. Once another call has moved the
///   head, the stream is over with ABORTED (HEAD_MOVED); what it had committed is answered before.
/// - On a version, steps without an answer are done again from the last version that has one. Whatever the
///   server made of them before stays behind as a fork that nobody refers to.
///
/// Outputs that are computed again are those of the first time where the model is deterministic, as it should
/// be. A step that failed, and whose error was lost, is tried again in the same way; where that succeeds
/// although later steps went on without it, it is answered with UNKNOWN.
///
/// One thread may Write while another Reads; Cancel may be called by any. Must not outlive its Client.
class Stream {
 public:
  /// Cancels what is under way: steps that have not begun are not done. Nobody may be in a call of this.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// The version that the stream started from.
  Version start() const;

  /// Sends a step, once fewer than max_outstanding are written and not read. FAILED_PRECONDITION: after
  /// WritesDone. Otherwise an error is the one that the stream ended with, and the step was not sent.
  absl::Status Write(StreamStep step);

  /// No further step follows. What was written is still done and answered.
  void WritesDone();

  /// Waits for the answer to the oldest step that has none yet. Nothing: none will come any more, because all
  /// are answered after WritesDone, or for the error that Finish returns. That is DEADLINE_EXCEEDED when no
  /// answer has come for as long as CallOptions::timeout says, though one was due.
  std::optional<absl::StatusOr<StepResult>> Read();

  /// WritesDone, then reads what is left, to nobody's use; how the stream ended.
  absl::Status Finish();

  /// Ends the stream with CANCELLED. Steps that have not begun are not done.
  void Cancel();

 private:
  friend class Client;
  explicit Stream(std::unique_ptr<internal::ResumingStream> stream);

  const std::unique_ptr<internal::ResumingStream> stream_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_STREAM_H_
