#ifndef STEPWELL_MODEL_ONNX_ORT_H_
#define STEPWELL_MODEL_ONNX_ORT_H_

#include <onnxruntime_c_api.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stepwell::onnx {

// The C API of ONNX Runtime at the version of the headers. Only after OrtEnvironment() was OK: null before.
const OrtApi& Ort();

// The process's one environment, made at the first call; what ONNX Runtime warns of goes to spdlog.
// FAILED_PRECONDITION: the library is older than the headers that this program was compiled with. INTERNAL:
// ONNX Runtime's own failure. Thread-safe.
absl::StatusOr<OrtEnv*> OrtEnvironment();

// Takes over `status`: OK when it is null, else INTERNAL with ONNX Runtime's message.
absl::Status FromOrt(OrtStatus* status);

template <typename T, void (ORT_API_CALL* OrtApi::*kRelease)(T*)>
struct OrtRelease {
  void operator()(T* object) const { (Ort().*kRelease)(object); }
};

template <typename T, void (ORT_API_CALL* OrtApi::*kRelease)(T*)>
using OrtPtr = std::unique_ptr<T, OrtRelease<T, kRelease>>;

using OrtSessionPtr = OrtPtr<OrtSession, &OrtApi::ReleaseSession>;
using OrtSessionOptionsPtr = OrtPtr<OrtSessionOptions, &OrtApi::ReleaseSessionOptions>;
using OrtRunOptionsPtr = OrtPtr<OrtRunOptions, &OrtApi::ReleaseRunOptions>;
using OrtMemoryInfoPtr = OrtPtr<OrtMemoryInfo, &OrtApi::ReleaseMemoryInfo>;
using OrtValuePtr = OrtPtr<OrtValue, &OrtApi::ReleaseValue>;
using OrtTypeInfoPtr = OrtPtr<OrtTypeInfo, &OrtApi::ReleaseTypeInfo>;
using OrtShapeInfoPtr = OrtPtr<OrtTensorTypeAndShapeInfo, &OrtApi::ReleaseTensorTypeAndShapeInfo>;

}  // namespace stepwell::onnx

// Returns the failure of a call into ONNX Runtime from the function around it.
#define STEPWELL_RETURN_IF_ORT_FAILS(call)                       \
  do {                                                           \
    if (OrtStatus* ort_status = (call); ort_status != nullptr) { \
      return ::stepwell::onnx::FromOrt(ort_status);              \
    }                                                            \
  } while (false)

#endif  // STEPWELL_MODEL_ONNX_ORT_H_
