#ifndef STEPWELL_STORAGE_ARRAY_CHAINS_H_
#define STEPWELL_STORAGE_ARRAY_CHAINS_H_

#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "stepwell/storage/version.h"

namespace stepwell {

// A state array that was appended to since it was last written whole. It is stored as a chain of parts, one
// under each version that wrote: the whole array, then the rows of each append. The last of them is the
// array's writer.
struct ArrayChain {
  int position;      // In the state spec.
  Version first;     // Wrote the array whole.
  Version previous;  // Wrote the part in front of the last.
};

// The chains of a snapshot. A part (writer, position) belongs to the snapshot's array where
// first <= writer <= last, along its ancestors: versions of ancestors increase. Costs a pointer where nothing
// grows. Thread-compatible.
class ArrayChains {
 public:
  ArrayChains() = default;
  ArrayChains(const ArrayChains& other)
      : chains_(other.chains_ == nullptr ? nullptr : std::make_unique<Chains>(*other.chains_)) {}
  ArrayChains(ArrayChains&&) = default;
  ArrayChains& operator=(ArrayChains other) {
    chains_ = std::move(other.chains_);
    return *this;
  }

  bool empty() const { return chains_ == nullptr; }

  // The chain of the array at `position`; null when its writer wrote it whole.
  const ArrayChain* Find(int position) const;

  // Notes that rows were appended to the array at `position`, whose writer was `before` until then.
  void Append(int position, Version before);

  // Notes that the array at `position` was written whole.
  void Erase(int position);

 private:
  using Chains = absl::InlinedVector<ArrayChain, 2>;  // Few: in any order.

  std::unique_ptr<Chains> chains_;  // Null rather than empty.
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ARRAY_CHAINS_H_
