#ifndef STEPWELL_STORAGE_VERSION_H_
#define STEPWELL_STORAGE_VERSION_H_

#include <compare>
#include <cstdint>
#include <optional>
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

// A version or none, as std::optional has it, in the space of a version.
class MaybeVersion {
 public:
  constexpr MaybeVersion() = default;
  constexpr MaybeVersion(std::nullopt_t /*none*/) {}              // NOLINT(google-explicit-constructor)
  constexpr MaybeVersion(Version version) : version_(version) {}  // NOLINT(google-explicit-constructor)
  constexpr MaybeVersion(std::optional<Version> version)          // NOLINT(google-explicit-constructor)
      : version_(version.value_or(Version(0))) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr operator std::optional<Version>() const {
    return has_value() ? std::make_optional(version_) : std::nullopt;
  }

  constexpr bool has_value() const { return version_ != Version(0); }
  constexpr const Version& operator*() const { return version_; }
  constexpr const Version* operator->() const { return &version_; }
  constexpr Version value_or(Version other) const { return has_value() ? version_ : other; }

  friend constexpr bool operator==(MaybeVersion, MaybeVersion) = default;
  friend constexpr bool operator==(MaybeVersion a, Version b) { return a.version_ == b; }
  friend constexpr bool operator==(MaybeVersion a, std::nullopt_t /*none*/) { return !a.has_value(); }
  friend constexpr bool operator==(MaybeVersion a, const std::optional<Version>& b) {
    return a == MaybeVersion(b);
  }
  friend std::ostream& operator<<(std::ostream& out, MaybeVersion version) {
    return version.has_value() ? out << *version : out << "none";
  }

 private:
  Version version_{0};
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_VERSION_H_
