#ifndef STEPWELL_STORAGE_STORE_CONFORMANCE_H_
#define STEPWELL_STORAGE_STORE_CONFORMANCE_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What every driver of Store is held to. A driver's test links stepwell_store_conformance and says
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, ::testing::Values(StoreDriver{…}));
struct StoreDriver {
  std::string name;
  std::function<std::unique_ptr<Store>()> make;  // A new, empty store.
  bool has_disk = false;                         // Whether it can commit with Durability::kSync.

  friend std::ostream& operator<<(std::ostream& out, const StoreDriver& driver) { return out << driver.name; }
};

class StoreConformance : public ::testing::TestWithParam<StoreDriver> {
 protected:
  std::unique_ptr<Store> store_ = GetParam().make();
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_STORE_CONFORMANCE_H_
