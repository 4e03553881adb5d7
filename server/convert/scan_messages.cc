#include "server/convert/scan_messages.h"

#include <optional>
#include <utility>
#include <vector>

#include "server/convert/decode.h"
#include "server/convert/message_writer.h"

namespace stepwell::server {

absl::StatusOr<ScanRequest> DecodeScan(v1::ScanRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return state.status();
  absl::StatusOr<NamedArrays> inputs = DecodeNamedArrays("input", std::move(*message.mutable_inputs()));
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<std::vector<ArraySelector>> fetch = DecodeSelectors(std::move(*message.mutable_fetch()));
  if (!fetch.ok()) return fetch.status();
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(message);
  if (!expected_head.ok()) return expected_head.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  ScanRequest request{.state = *std::move(state),
                      .inputs = *std::move(inputs),
                      .output_names = {message.output_names().begin(), message.output_names().end()},
                      .keep_every = message.keep_every(),
                      .fetch = *std::move(fetch),
                      .check_finite = message.check_finite(),
                      .expected_head = *expected_head,
                      .labels = DecodeLabels(message.labels()),
                      .request_id = message.request_id(),
                      .durability = *durability};
  if (message.step_count() != 0) request.step_count = message.step_count();
  const absl::Status revision = DecodeRevision(message, request);
  if (!revision.ok()) return revision;
  if (!message.method().empty()) request.method = std::move(*message.mutable_method());
  return request;
}

grpc::ByteBuffer EncodeScan(const ScanResult& result) {
  MessageWriter writer;
  writer.AddInt64(v1::ScanResponse::kVersionFieldNumber, result.versions.back().value());
  for (const auto& [name, array] : result.outputs) {
    writer.AddNamedArray(v1::ScanResponse::kOutputsFieldNumber, name, array);
  }
  for (const Version version : result.versions) {
    writer.AddInt64(v1::ScanResponse::kVersionsFieldNumber, version.value());
  }
  for (const auto& [name, array] : result.fetched) {
    writer.AddNamedArray(v1::ScanResponse::kFetchedFieldNumber, name, array);
  }
  return writer.Finish();
}

}  // namespace stepwell::server
