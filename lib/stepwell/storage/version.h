#ifndef STEPWELL_STORAGE_VERSION_H_
#define STEPWELL_STORAGE_VERSION_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <utility>

namespace stepwell {

// A snapshot's key: a positive number, unique in a store, increasing, never reused.
class Version {
 public:
  constexpr explicit Version(int64_t value) : value_(value) {}

  constexpr int64_t value() const { return value_; }

  // clang-tidy 14 sees a null pointer in the 0 that `<` compares with. NOLINTNEXTLINE(modernize-use-nullptr)
  friend constexpr auto operator<=>(Version, Version) = default;
  template <typename H>
  friend H AbslHashValue(H h, Version version) {
    return H::combine(std::move(h), version.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, Version version) { return out << version.value_; }

 private:
  int64_t value_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_VERSION_H_
