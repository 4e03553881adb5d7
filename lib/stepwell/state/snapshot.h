#ifndef STEPWELL_STATE_SNAPSHOT_H_
#define STEPWELL_STATE_SNAPSHOT_H_

#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// A state with all its arrays, stored under a version. Immutable: a step makes another one, which shares
// every array that it did not write. Thread-safe.
class Snapshot {
 public:
  using Arrays = absl::InlinedVector<Array, 1>;

  // `arrays` has one array for each of `record->writers`.
  Snapshot(std::shared_ptr<const SnapshotRecord> record, Arrays arrays)
      : record_(std::move(record)), arrays_(std::move(arrays)) {}

  const SnapshotRecord& record() const { return *record_; }
  Version version() const { return record_->version; }

  // By position in the state spec.
  absl::Span<const Array> arrays() const { return arrays_; }

 private:
  const std::shared_ptr<const SnapshotRecord> record_;
  const Arrays arrays_;
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_SNAPSHOT_H_
