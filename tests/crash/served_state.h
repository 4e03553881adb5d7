#ifndef STEPWELL_TESTS_CRASH_SERVED_STATE_H_
#define STEPWELL_TESTS_CRASH_SERVED_STATE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stepwell/client/async_client.h"
#include "stepwell/client/client.h"
#include "tests/crash/stored_state.h"

namespace stepwell::testing {

// What a server tells. Thread-compatible.
class ServedState final : public StoredState {
 public:
  // The server at `address` has these models.
  ServedState(const std::string& address, std::vector<std::string> models);

  absl::StatusOr<std::vector<FoundSnapshot>> SnapshotsAfter(int64_t version) override;
  absl::StatusOr<std::map<std::string, int64_t>> Branches() override;
  std::vector<absl::StatusOr<FoundSnapshot>> Snapshots(const std::vector<int64_t>& versions) override;
  std::vector<absl::StatusOr<std::string>> States(const std::vector<int64_t>& versions) override;
  absl::StatusOr<std::string> StateAfterStep(int64_t version, const Array& x) override;

 private:
  const std::vector<std::string> models_;
  const std::unique_ptr<client::Client> client_;
  const std::unique_ptr<client::AsyncClient> async_client_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_SERVED_STATE_H_
