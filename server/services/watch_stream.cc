#include "server/services/watch_stream.h"

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

#include "server/convert/encode.h"
#include "server/convert/message_writer.h"
#include "stepwell/v1/branch_service.pb.h"

namespace stepwell::server {
namespace {

// Of one message: less than 32 KiB, whatever the names.
constexpr size_t kMaxMovesOfAMessage = 128;

grpc::ByteBuffer Encode(const BranchNews& news) {
  v1::WatchBranchesResponse message;
  if (news.missed.has_value()) {
    message.mutable_missed()->set_after_position(news.missed->after_position);
    message.mutable_missed()->set_until_position(news.missed->until_position);
  }
  for (const auto& [position, move] : news.moves) {
    v1::WatchBranchesResponse::Move& told = *message.add_moves();
    told.set_branch(move.branch);
    if (move.head.has_value()) told.set_version(move.head->value());
    if (move.previous.has_value()) told.set_previous_head(move.previous->value());
    *told.mutable_time() = EncodeTime(move.time);
    told.set_position(position);
  }
  message.set_position(news.position);
  return Serialize(message);
}

}  // namespace

void ServeWatch(std::unique_ptr<BranchWatch> watch, const std::shared_ptr<ServerStreamCall>& call) {
  const auto resume = [weak = std::weak_ptr<ServerStreamCall>(call)] {
    if (const auto resumed = weak.lock()) resumed->Resume();
  };
  const auto draining = std::make_shared<std::atomic<bool>>(false);
  call->Answer(ServerStreamCall::Source(
      [watch = std::move(watch), draining, resume]() -> absl::StatusOr<std::optional<grpc::ByteBuffer>> {
        while (true) {
          if (const std::optional<BranchNews> news = watch->Next(kMaxMovesOfAMessage)) return Encode(*news);
          if (draining->load()) return Call::Draining();
          if (watch->Wait(resume)) return std::nullopt;
        }
      }));
  call->WhenDraining([draining, resume] {
    draining->store(true);
    resume();
  });
}

}  // namespace stepwell::server
