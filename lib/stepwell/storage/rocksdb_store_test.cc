#include "stepwell/storage/rocksdb_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/storage/store_conformance.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

std::unique_ptr<Store> NewStore() {
  static testing::TemporaryDirectory directory;
  return RocksDbStore::Open({.path = directory.New()}).value();
}

INSTANTIATE_TEST_SUITE_P(RocksDb, StoreConformance,
                         ::testing::Values(StoreDriver{"rocksdb", NewStore, /*has_disk=*/true}));

}  // namespace
}  // namespace stepwell
