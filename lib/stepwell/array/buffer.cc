#include "stepwell/array/buffer.h"

#include <cstring>

namespace stepwell {
namespace {

// The unit of allocation: one allocation holds the reference count and the bytes, aligned for every dtype.
struct alignas(16) Block {
  std::byte bytes[16];
};

}  // namespace

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
  // One block at least: an empty array still has an address, which ONNX Runtime asks for.
  auto blocks = std::make_shared_for_overwrite<Block[]>(size / sizeof(Block) + 1);
  std::byte* data = blocks[0].bytes;
  return MutableBuffer(std::shared_ptr<std::byte>(std::move(blocks), data), size);
}

}  // namespace stepwell
