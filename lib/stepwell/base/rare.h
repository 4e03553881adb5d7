#ifndef STEPWELL_BASE_RARE_H_
#define STEPWELL_BASE_RARE_H_

#include <memory>
#include <utility>

namespace stepwell {

// A container that is empty in most of very many objects, each of which then pays for a pointer alone.
// Thread-compatible.
template <typename T>
class Rare {
 public:
  Rare() = default;
  Rare(T value)  // NOLINT(google-explicit-constructor): it stands where a T stood.
      : value_(value.empty() ? nullptr : std::make_unique<const T>(std::move(value))) {}
  Rare(const Rare& other) : Rare(*other) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~Rare() = default;

  const T& operator*() const {
    static const T* const kEmpty = new T;
    return value_ == nullptr ? *kEmpty : *value_;
  }
  const T* operator->() const { return &**this; }

 private:
  std::unique_ptr<const T> value_;  // Null rather than empty.
};

}  // namespace stepwell

#endif  // STEPWELL_BASE_RARE_H_
