#ifndef STEPWELL_CLIENT_CLI_STATE_FILE_H_
#define STEPWELL_CLIENT_CLI_STATE_FILE_H_

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/v1/state_service.pb.h"

// A state, with or without its history, as one file that any reader of safetensors reads. Without history an
// array is named by its index, with history N/INDEX: what the N-th snapshot, from 0 at the oldest, has that
// the one before it has not. "__metadata__" tells the rest, in strings: docs/guides/moving.md has its keys.
namespace stepwell::cli {

// What is known of a file before its arrays are looked at.
struct StateFileHead {
  v1::MovedHistory history;
  std::string branch;  // That was exported; empty: a version was.
  bool has_history = false;
};

// Writes a file: first it is told every snapshot, then given the bytes of their arrays, in that order. The
// file is there under its name when Finish has succeeded, and what was there before, until then.
// Thread-compatible.
class StateFileWriter {
 public:
  StateFileWriter(std::string path, StateFileHead head) : path_(std::move(path)), head_(std::move(head)) {}
  // Removes what is half done.
  ~StateFileWriter();
  StateFileWriter(const StateFileWriter&) = delete;
  StateFileWriter& operator=(const StateFileWriter&) = delete;

  // BadInput: the history is too long for one file.
  absl::Status AddSnapshot(const v1::MovedSnapshot& snapshot);
  // BadInput: the file cannot be written.
  absl::Status BeginData();
  absl::Status AddData(absl::string_view bytes);
  absl::Status Finish();

  int64_t data_bytes() const { return data_bytes_; }  // Of all arrays.
  int64_t snapshot_count() const { return snapshot_count_; }

 private:
  absl::Status Failed() const;

  const std::string path_;
  const StateFileHead head_;
  std::string tensors_;    // JSON, as far as they are known: `,"NAME":{…}` for each.
  std::string snapshots_;  // JSON: {…} for each, with commas between.
  int64_t data_bytes_ = 0;
  int64_t written_bytes_ = 0;
  int64_t snapshot_count_ = 0;
  std::ofstream file_;
  std::string partial_path_;  // Not empty while there is such a file.
};

// A file that is read: snapshot by snapshot, of which no more is in memory than a chunk. Thread-compatible.
class StateFileReader {
 public:
  // Reads and checks everything but the bytes of the arrays. BadInput, naming file and array: it cannot be
  // read, is no safetensors file or not one of `stepwell export`, is of a newer format or cut off, or has
  // arrays that none of its snapshots has.
  static absl::StatusOr<std::unique_ptr<StateFileReader>> Open(const std::string& path);

  const StateFileHead& head() const { return head_; }
  int64_t data_bytes() const { return data_bytes_; }

  // Of the `n`-th snapshot, from 0 on.
  const v1::MovedSnapshot& snapshot(int64_t n) const { return snapshots_[static_cast<size_t>(n)].message; }

  // Gives the bytes of its arrays to `take`, in their order, in chunks of up to a MiB. BadInput: they cannot
  // be read. Else as `take`.
  absl::Status ReadData(int64_t n, absl::FunctionRef<absl::Status(absl::string_view)> take);

 private:
  struct Snapshot {
    v1::MovedSnapshot message;
    std::vector<std::pair<int64_t, int64_t>> ranges;  // Of the file, begin and end, for each array.
  };

  explicit StateFileReader(std::string path) : path_(std::move(path)), file_(path_, std::ios::binary) {}

  absl::Status ReadHeader();
  absl::Status Wrong(absl::string_view what) const;

  const std::string path_;
  std::ifstream file_;
  StateFileHead head_;
  std::vector<Snapshot> snapshots_;
  int64_t data_bytes_ = 0;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_STATE_FILE_H_
