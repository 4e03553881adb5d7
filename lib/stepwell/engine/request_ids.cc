#include "stepwell/engine/request_ids.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

constexpr size_t kMaxId = 128;

}  // namespace

absl::Status RequestIds::CheckId(const std::string& id) {
  if (id.size() <= kMaxId) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("request_id of ", id.size(), " bytes; expected at most ", kMaxId));
}

void RequestIds::Enter(const RequestKey& key, const CallContext& call, Turn turn) {
  // Shared, since a queue that is full drops what it is given.
  const auto shared_turn = std::make_shared<Turn>(std::move(turn));
  const absl::Status entered = queues_.Enter(key.id, [this, key, call, shared_turn] {
    auto refuse = [this, id = key.id, shared_turn](absl::Status status) {
      Leave(id);
      std::move (*shared_turn)(std::move(status));
    };
    absl::Status waits = call.Check();
    if (!waits.ok()) return refuse(std::move(waits));
    store_->ReadRequest(
        key.id, clock_->Now(),
        [key, shared_turn, refuse](absl::StatusOr<std::shared_ptr<const RequestRecord>> known) {
          if (!known.ok()) return refuse(known.status());
          if (*known != nullptr && (*known)->digest != key.digest) {
            return refuse(RequestIdReused(absl::StatusCode::kInvalidArgument, key.id));
          }
          std::move (*shared_turn)(*std::move(known));
        });
  });
  if (!entered.ok()) std::move (*shared_turn)(entered);
}

}  // namespace stepwell
