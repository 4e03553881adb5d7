#ifndef STEPWELL_STATE_VERSION_ALLOCATOR_H_
#define STEPWELL_STATE_VERSION_ALLOCATOR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Hands out version numbers one by one from blocks that the store reserves, and reserves the next block
// before the last number is gone, so that a step almost never waits for the store. Thread-safe.
class VersionAllocator {
 public:
  using VersionCallback = Store::Callback<Version>;

  // `store` must outlive this.
  VersionAllocator(Store* store, int64_t block_size);

  // Waits for the reservation under way: a store on disk may answer it late.
  ~VersionAllocator() ABSL_LOCKS_EXCLUDED(mutex_);
  VersionAllocator(const VersionAllocator&) = delete;
  VersionAllocator& operator=(const VersionAllocator&) = delete;

  // The next number, if one is at hand; it costs no callback. Who gets none calls Next.
  std::optional<Version> TryNext() ABSL_LOCKS_EXCLUDED(mutex_);

  // The next number: inside the call when one is at hand, else when the store has reserved more. Errors are
  // the store's. A number that is not used is lost, which harms nobody.
  void Next(VersionCallback done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The next number; where there is none, takes over `waiting`, unless that is null, until there is one.
  std::optional<Version> TakeOrWait(VersionCallback* waiting) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Version> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether another block is to be reserved now, by who asks.
  bool StartReserving() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reserve() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReserved(const absl::StatusOr<VersionBlock>& block) ABSL_LOCKS_EXCLUDED(mutex_);

  Store* const store_;
  const int64_t block_size_;

  absl::Mutex mutex_;
  std::vector<VersionBlock> blocks_ ABSL_GUARDED_BY(mutex_);  // In use first; none is empty.
  std::vector<VersionCallback> waiting_ ABSL_GUARDED_BY(mutex_);
  bool reserving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_VERSION_ALLOCATOR_H_
