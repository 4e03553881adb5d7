#ifndef STEPWELL_STORAGE_REMEMBERED_REQUESTS_H_
#define STEPWELL_STORAGE_REMEMBERED_REQUESTS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What came of the latest requests with a request_id, up to a number and an age. Thread-compatible.
class RememberedRequests {
 public:
  using Request = std::shared_ptr<const RequestRecord>;

  RememberedRequests(size_t max_count, absl::Duration max_age) : max_count_(max_count), max_age_(max_age) {}

  // Null when none is remembered at `now`.
  Request Find(absl::string_view id, absl::Time now) const;

  // ALREADY_EXISTS (REQUEST_ID_REUSED): one of `requests` is remembered at its own time.
  absl::Status Check(const std::vector<RequestRecord>& requests) const;

  // Adds what an earlier process remembered, oldest first, however old it is: times tell nothing of now.
  void Restore(Request request, std::vector<Request>* forgotten);

  // Adds `request` and, where `forgotten` is not null, adds to that those that went for it.
  void Remember(Request request, std::vector<Request>* forgotten = nullptr);

 private:
  void ForgetOldest(std::vector<Request>* forgotten);

  const size_t max_count_;
  const absl::Duration max_age_;
  absl::flat_hash_map<std::string, Request> by_id_;
  std::deque<Request> by_age_;  // Oldest first.
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_REMEMBERED_REQUESTS_H_
