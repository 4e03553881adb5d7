#ifndef STEPWELL_TESTS_CRASH_STORED_STATE_H_
#define STEPWELL_TESTS_CRASH_STORED_STATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/array/array.h"
#include "stepwell/client/types.h"

namespace stepwell::testing {

// What a server says of a snapshot.
struct FoundSnapshot {
  int64_t version = 0;
  std::string model;
  std::optional<int64_t> parent;
  client::Labels labels;
  bool pinned = false;
  bool durable = false;
};

// What is there after a start, as a checker looks at it. Calls fail where the server does not answer; of a
// snapshot that is not there, its element does, with the server's error.
class StoredState {
 public:
  virtual ~StoredState() = default;

  // Every snapshot after `version`, oldest first.
  virtual absl::StatusOr<std::vector<FoundSnapshot>> SnapshotsAfter(int64_t version) = 0;
  // Every branch and its head.
  virtual absl::StatusOr<std::map<std::string, int64_t>> Branches() = 0;

  virtual std::vector<absl::StatusOr<FoundSnapshot>> Snapshots(const std::vector<int64_t>& versions) = 0;
  // The bytes of their arrays.
  virtual std::vector<absl::StatusOr<std::string>> States(const std::vector<int64_t>& versions) = 0;
  // The bytes of the arrays after a step from `version` with this input.
  virtual absl::StatusOr<std::string> StateAfterStep(int64_t version, const Array& x) = 0;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_STORED_STATE_H_
