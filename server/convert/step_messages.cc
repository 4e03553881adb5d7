#include "server/convert/step_messages.h"

#include <optional>
#include <utility>
#include <vector>

#include "server/convert/decode.h"

namespace stepwell::server {
namespace {

// What the messages have in common.
template <typename Message>
absl::StatusOr<StepRequest> DecodeCommon(Message&& message) {
  absl::StatusOr<NamedArrays> inputs = DecodeNamedArrays("input", std::move(*message.mutable_inputs()));
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<std::vector<ArraySelector>> fetch = DecodeSelectors(std::move(*message.mutable_fetch()));
  if (!fetch.ok()) return fetch.status();
  absl::StatusOr<StepRequest> request(absl::in_place);
  request->inputs = *std::move(inputs);
  request->output_names = {message.output_names().begin(), message.output_names().end()};
  request->fetch = *std::move(fetch);
  request->keep = !message.has_keep() || message.keep();
  request->check_finite = message.check_finite();
  request->labels = DecodeLabels(message.labels());
  request->request_id = std::move(*message.mutable_request_id());
  const absl::Status revision = DecodeRevision(message, *request);
  if (!revision.ok()) return revision;
  if (!message.method().empty()) request->method = std::move(*message.mutable_method());
  return request;
}

}  // namespace

absl::StatusOr<StepRequest> DecodeStep(v1::StepRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return state.status();
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(message);
  if (!expected_head.ok()) return expected_head.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  absl::StatusOr<StepRequest> request = DecodeCommon(std::move(message));
  if (!request.ok()) return request.status();
  request->state = *std::move(state);
  request->expected_head = *expected_head;
  request->durability = *durability;
  return request;
}

absl::StatusOr<StepRequest> DecodeStep(v1::StepStreamRequest::Step&& message) {
  return DecodeCommon(std::move(message));
}

MessageWriter WriteStep(const StepResult& result) {
  MessageWriter writer;
  writer.AddInt64(v1::StepResponse::kVersionFieldNumber, result.snapshot->version().value());
  writer.AddNamedArrays(v1::StepResponse::kOutputsFieldNumber, result.outputs);
  writer.AddNamedArrays(v1::StepResponse::kFetchedFieldNumber, result.fetched);
  return writer;
}

}  // namespace stepwell::server
