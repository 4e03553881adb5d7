#include "stepwell/storage/memory_store.h"

#include "stepwell/storage/store_conformance.h"

namespace stepwell {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         ::testing::Values(StoreDriver{"memory",
                                                       [] { return std::make_unique<MemoryStore>(); }}));

}  // namespace
}  // namespace stepwell
