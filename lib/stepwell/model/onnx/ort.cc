#include "stepwell/model/onnx/ort.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace stepwell::onnx {
namespace {

const OrtApi* LoadApi() {
  static const OrtApi* const api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  return api;
}

void ORT_API_CALL Log(void* /*param*/, OrtLoggingLevel severity, const char* category, const char* /*log_id*/,
                      const char* /*code_location*/, const char* message) {
  const auto level = severity >= ORT_LOGGING_LEVEL_ERROR ? spdlog::level::err : spdlog::level::warn;
  spdlog::log(level, "ONNX Runtime ({}): {}", category, message);
}

absl::StatusOr<OrtEnv*> MakeEnvironment() {
  const OrtApi* api = LoadApi();
  if (api == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the ONNX Runtime library is version ", OrtGetApiBase()->GetVersionString(),
                     "; expected 1.", ORT_API_VERSION, " or later, as this program was compiled with"));
  }
  OrtEnv* environment = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(
      api->CreateEnvWithCustomLogger(Log, nullptr, ORT_LOGGING_LEVEL_WARNING, "stepwell", &environment));
  STEPWELL_RETURN_IF_ORT_FAILS(api->DisableTelemetryEvents(environment));
  return environment;
}

}  // namespace

const OrtApi& Ort() { return *LoadApi(); }

absl::StatusOr<OrtEnv*> OrtEnvironment() {
  // Never released: sessions may live until the process ends.
  static const absl::StatusOr<OrtEnv*>& environment = *new absl::StatusOr<OrtEnv*>(MakeEnvironment());
  return environment;
}

absl::Status FromOrt(OrtStatus* status) {
  if (status == nullptr) return absl::OkStatus();
  // It may quote whatever bytes a graph holds; a status is to be printable.
  std::string message = Ort().GetErrorMessage(status);
  std::ranges::replace_if(
      message, [](char c) { return c != '\n' && !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  absl::Status result = absl::InternalError(message);
  Ort().ReleaseStatus(status);
  return result;
}

}  // namespace stepwell::onnx
