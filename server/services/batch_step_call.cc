#include "server/services/batch_step_call.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "server/convert/decode.h"
#include "server/convert/encode.h"
#include "server/convert/step_messages.h"
#include "server/rpc/status.h"
#include "stepwell/engine/errors.h"

namespace stepwell::server {
namespace {

absl::StatusOr<StepRequest> DecodeMember(v1::StepRequest&& message) {
  if (message.durability() != v1::DURABILITY_UNSPECIFIED) {
    return absl::InvalidArgumentError("durability is given; expected that of the whole batch alone");
  }
  if (!message.request_id().empty()) {
    return absl::InvalidArgumentError("request_id is given; expected that of the whole batch alone");
  }
  return DecodeStep(std::move(message));
}

MessageWriter WriteResult(const absl::StatusOr<StepResult>& result) {
  MessageWriter writer;
  if (result.ok()) {
    writer.AddMessage(v1::BatchStepResponse::Result::kResponseFieldNumber, WriteStep(*result));
  } else {
    writer.AddBytes(v1::BatchStepResponse::Result::kStatusFieldNumber,
                    Buffer::Adopt(ToProto(result.status()).SerializeAsString()));
  }
  return writer;
}

// Where one step cannot be decoded, none of `steps` is to be stepped.
void NoneWhereOneIsWrong(std::vector<absl::Status>& decoded, std::vector<StepRequest>& steps) {
  const auto wrong = std::ranges::find_if(decoded, [](const absl::Status& status) { return !status.ok(); });
  if (wrong == decoded.end()) return;
  const absl::Status others = BatchNotCommitted(static_cast<size_t>(wrong - decoded.begin()), *wrong);
  for (absl::Status& status : decoded) {
    if (status.ok()) status = others;
  }
  steps.clear();
}

// The reply, when `results` are those of the steps that were not wrong.
grpc::ByteBuffer EncodeBatch(const std::vector<absl::Status>& decoded,
                             const std::vector<absl::StatusOr<StepResult>>& results) {
  MessageWriter reply;
  size_t next = 0;
  for (const absl::Status& status : decoded) {
    reply.AddMessage(v1::BatchStepResponse::kResultsFieldNumber,
                     status.ok() ? WriteResult(results[next++]) : WriteResult(status));
  }
  return reply.Finish();
}

}  // namespace

void ServeBatchStep(Engine* engine, int64_t max_reply_bytes, std::shared_ptr<UnaryCall> call,
                    v1::BatchStepRequest&& message) {
  if (message.steps().empty()) {
    return call->Answer(absl::InvalidArgumentError("the batch has no steps; expected at least one"));
  }
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return call->Answer(durability.status());
  BatchStepRequest request{.all_or_nothing = message.all_or_nothing(),
                           .max_reply_bytes = max_reply_bytes,
                           .request_id = message.request_id(),
                           .durability = *durability,
                           .call = call->context()};
  std::vector<absl::Status> decoded;
  for (v1::StepRequest& step : *message.mutable_steps()) {
    absl::StatusOr<StepRequest> member = DecodeMember(std::move(step));
    decoded.push_back(member.status());
    if (member.ok()) request.steps.push_back(*std::move(member));
  }
  if (request.all_or_nothing) NoneWhereOneIsWrong(decoded, request.steps);
  if (request.steps.empty()) return call->Answer(EncodeBatch(decoded, {}));
  engine->BatchStep(std::move(request), [call = std::move(call), decoded = std::move(decoded)](
                                            const absl::StatusOr<BatchStepResult>& result) {
    if (!result.ok()) return call->Answer(result.status());
    call->Answer(EncodeBatch(decoded, result->results));
  });
}

}  // namespace stepwell::server
