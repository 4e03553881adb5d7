#ifndef STEPWELL_ARRAY_BUFFER_H_
#define STEPWELL_ARRAY_BUFFER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/span.h"

namespace stepwell {

// Immutable bytes with a shared owner: a copy of a Buffer shares the bytes. The owner may be anything that
// keeps them alive (a string, a gRPC slice, an ONNX Runtime value, a file mapping). Thread-safe.
class Buffer {
 public:
  // No bytes.
  Buffer() = default;

  // A copy of `bytes`, aligned for every dtype.
  static Buffer Copy(absl::Span<const std::byte> bytes);

  // Takes over the bytes of `bytes`; a string longer than its inline capacity is not copied.
  static Buffer Adopt(std::string bytes);

  // Refers to `bytes`, which live and stay as they are as long as `owner` does.
  static Buffer Adopt(std::shared_ptr<const void> owner, absl::Span<const std::byte> bytes) {
    return Buffer(std::shared_ptr<const std::byte>(std::move(owner), bytes.data()), bytes.size());
  }

  // `size` bytes from `offset` of this buffer, with the same owner. Both must lie within it.
  Buffer Part(size_t offset, size_t size) const {
    return Buffer(std::shared_ptr<const std::byte>(data_, data_.get() + offset), size);
  }

  // The bytes of this buffer with `tail` behind them. What comes of it has room for more: where this buffer
  // was made so and nothing was appended behind its end yet, `tail` is written there, and the two share what
  // is in front of it. Otherwise (a first append, no room left, another append to the same bytes) everything
  // is copied to new memory with as much room again. So n appends in a row copy each byte about twice,
  // whatever n is. Of several threads that append to the same bytes, one gets the room.
  Buffer Append(absl::Span<const std::byte> tail) const;

  // A copy of the bytes of `parts`, one after the other, with room as Append makes it.
  static Buffer Concatenate(absl::Span<const absl::Span<const std::byte>> parts);

  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  absl::Span<const std::byte> bytes() const { return {data_.get(), size_}; }

  // Bytes of the memory that it lies in, where Append or Concatenate made that with room behind it; else
  // those of its own.
  size_t capacity() const;

  // The bytes alone, for who knows how many they are.
  std::shared_ptr<const std::byte> Release() && { return std::move(data_); }

 private:
  friend class MutableBuffer;
  Buffer(std::shared_ptr<const std::byte> data, size_t size) : data_(std::move(data)), size_(size) {}

  std::shared_ptr<const std::byte> data_;
  size_t size_ = 0;
};

// Bytes under construction, owned by one place; Freeze makes them a Buffer without a copy. Thread-compatible.
class MutableBuffer {
 public:
  // `size` bytes with undefined content, aligned for every dtype.
  static MutableBuffer Allocate(size_t size);

  std::byte* data() { return data_.get(); }
  size_t size() const { return size_; }

  Buffer Freeze() && { return Buffer(std::move(data_), std::exchange(size_, 0)); }

 private:
  MutableBuffer(std::shared_ptr<std::byte> data, size_t size) : data_(std::move(data)), size_(size) {}

  std::shared_ptr<std::byte> data_;
  size_t size_;
};

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_BUFFER_H_
