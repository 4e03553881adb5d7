#include "stepwell/storage/remembered_requests.h"

#include <utility>

#include "stepwell/storage/errors.h"

namespace stepwell {

RememberedRequests::Request RememberedRequests::Find(absl::string_view id, absl::Time now) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || now - found->second->time > max_age_) return nullptr;
  return found->second;
}

absl::Status RememberedRequests::Check(const std::vector<RequestRecord>& requests) const {
  for (const RequestRecord& request : requests) {
    if (Find(request.id, request.time) != nullptr) {
      return RequestIdReused(absl::StatusCode::kAlreadyExists, request.id);
    }
  }
  return absl::OkStatus();
}

void RememberedRequests::Restore(Request request, std::vector<Request>* forgotten) {
  by_id_[request->id] = request;
  by_age_.push_back(std::move(request));
  if (by_age_.size() > max_count_) ForgetOldest(forgotten);
}

void RememberedRequests::Remember(Request request, std::vector<Request>* forgotten) {
  const absl::Time now = request->time;
  Restore(std::move(request), forgotten);
  while (!by_age_.empty() && now - by_age_.front()->time > max_age_) ForgetOldest(forgotten);
}

void RememberedRequests::ForgetOldest(std::vector<Request>* forgotten) {
  Request oldest = std::move(by_age_.front());
  by_age_.pop_front();
  // The id may have come again since.
  const auto found = by_id_.find(oldest->id);
  if (found != by_id_.end() && found->second == oldest) by_id_.erase(found);
  if (forgotten != nullptr) forgotten->push_back(std::move(oldest));
}

}  // namespace stepwell
