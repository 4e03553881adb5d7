#include "stepwell/array/buffer.h"

#include <atomic>
#include <cstring>

namespace stepwell {
namespace {

// The unit of allocation, aligned for every dtype. One allocation holds the reference count and the bytes,
// but not for large arrays: their sizes are powers of two more often than not, and a little more than that
// takes a quarter more from an allocator whose sizes lie a quarter apart.
struct alignas(16) Block {
  std::byte bytes[16];
};
constexpr size_t kLarge = 1024;

// Memory that buffers share, each a part from somewhere to the end that it has; one may append behind the
// last.
struct Room {
  explicit Room(size_t room_capacity)
      : blocks(std::make_unique_for_overwrite<Block[]>(room_capacity / sizeof(Block) + 1)),
        capacity(room_capacity) {}

  std::byte* data() const { return blocks[0].bytes; }

  const std::unique_ptr<Block[]> blocks;
  const size_t capacity;
  std::atomic<size_t> used = 0;  // What lies in front of it is some buffer's, and never changes again.
};

// Also what tells that the bytes of a buffer lie in a Room: no array pays for a pointer to it.
struct RoomDeleter {
  Room* room;
  void operator()(const std::byte* /*data*/) const { delete room; }
};

}  // namespace

Buffer Buffer::Append(absl::Span<const std::byte> tail) const {
  if (const auto* deleter = std::get_deleter<RoomDeleter>(data_)) {
    Room& room = *deleter->room;
    auto end = static_cast<size_t>(data_.get() + size_ - room.data());
    // Who learns of the new bytes learns it from the buffer that is returned, which needs no order here.
    if (end <= room.capacity && tail.size() <= room.capacity - end &&
        room.used.compare_exchange_strong(end, end + tail.size(), std::memory_order_relaxed)) {
      if (!tail.empty()) std::memcpy(room.data() + end, tail.data(), tail.size());
      return Buffer(data_, size_ + tail.size());
    }
  }
  const absl::Span<const std::byte> parts[] = {bytes(), tail};
  return Concatenate(parts);
}

Buffer Buffer::Concatenate(absl::Span<const absl::Span<const std::byte>> parts) {
  size_t size = 0;
  for (const absl::Span<const std::byte>& part : parts) size += part.size();
  auto* const room = new Room(2 * size);
  const std::shared_ptr<const std::byte> data(room->data(), RoomDeleter{room});
  for (const absl::Span<const std::byte>& part : parts) {
    const size_t used = room->used.load(std::memory_order_relaxed);
    if (!part.empty()) std::memcpy(room->data() + used, part.data(), part.size());
    room->used.store(used + part.size(), std::memory_order_relaxed);
  }
  return Buffer(data, size);
}

size_t Buffer::capacity() const {
  const auto* deleter = std::get_deleter<RoomDeleter>(data_);
  return deleter == nullptr ? size_ : deleter->room->capacity;
}

Buffer Buffer::Copy(absl::Span<const std::byte> bytes) {
  MutableBuffer copy = MutableBuffer::Allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return std::move(copy).Freeze();
}

Buffer Buffer::Adopt(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const absl::Span<const std::byte> span(reinterpret_cast<const std::byte*>(owner->data()), owner->size());
  return Adopt(std::move(owner), span);
}

MutableBuffer MutableBuffer::Allocate(size_t size) {
  if (size >= kLarge) {
    std::shared_ptr<Block[]> blocks(
        std::make_unique_for_overwrite<Block[]>((size + sizeof(Block) - 1) / sizeof(Block)));
    std::byte* data = blocks[0].bytes;
    return MutableBuffer(std::shared_ptr<std::byte>(std::move(blocks), data), size);
  }
  // One block at least: an empty array still has an address, which ONNX Runtime asks for. Most states have
  // such a small one in every version, where an array of blocks would take half as much again.
  if (size <= sizeof(Block)) {
    auto block = std::make_shared_for_overwrite<Block>();
    std::byte* data = block->bytes;
    return MutableBuffer(std::shared_ptr<std::byte>(std::move(block), data), size);
  }
  auto blocks = std::make_shared_for_overwrite<Block[]>(size / sizeof(Block) + 1);
  std::byte* data = blocks[0].bytes;
  return MutableBuffer(std::shared_ptr<std::byte>(std::move(blocks), data), size);
}

}  // namespace stepwell
