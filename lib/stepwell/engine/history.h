#ifndef STEPWELL_ENGINE_HISTORY_H_
#define STEPWELL_ENGINE_HISTORY_H_

#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stepwell/base/clock.h"
#include "stepwell/engine/branches.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"
#include "stepwell/state/snapshot_cache.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What is known of snapshots, without their arrays. Thread-safe.
class History {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // Nothing is owned, and all of it must outlive this.
  History(Store* store, SnapshotCache* cache, Branches* branches, const Clock* clock,
          Durability default_durability)
      : store_(store),
        cache_(cache),
        branches_(branches),
        clock_(clock),
        default_durability_(default_durability) {}

  // See Engine; `key` is what the request is remembered under. List reads a bounded number of records for a
  // page, however few of them fit, so that neither memory nor a page's time grows with the history.
  void Get(const GetSnapshotRequest& request, Callback<SnapshotInfo> done);
  void List(ListSnapshotsRequest request, Callback<ListSnapshotsResult> done);
  void Update(UpdateSnapshotRequest request, std::optional<RequestKey> key, Callback<SnapshotInfo> done);
  void Delete(DeleteSnapshotsRequest request, std::optional<RequestKey> key,
              Callback<DeleteSnapshotsResult> done);

 private:
  void Read(Version version, Callback<SnapshotInfo> done);

  Store* const store_;
  SnapshotCache* const cache_;
  Branches* const branches_;
  const Clock* const clock_;
  const Durability default_durability_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_HISTORY_H_
