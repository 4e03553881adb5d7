#ifndef STEPWELL_MODEL_ONNX_ONNX_FILE_H_
#define STEPWELL_MODEL_ONNX_ONNX_FILE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "stepwell/model/issues.h"
#include "stepwell/model/onnx/onnx_subset.pb.h"
#include "stepwell/model/package.h"

namespace stepwell::onnx {

// Reads an .onnx file of `package` without ONNX Runtime, into `content` (the bytes) and the result. Adds an
// issue and returns nothing when there is no such file, it cannot be read, or is no ONNX model. Adds an issue
// for each tensor whose data lies outside the file in anything but a file of the package: ONNX Runtime 1.21
// itself opens any path, absolute ones and "..", and takes the location "*/_ORT_MEM_ADDR_/*" for an address
// in this process.
std::optional<model::onnx_subset::ModelProto> ReadOnnxFile(const Package& package, const std::string& file,
                                                           Issues& issues, std::string& content);

// The text under the metadata key "stepwell.model", or nothing.
std::optional<std::string> FindStepwellText(const model::onnx_subset::ModelProto& model);

}  // namespace stepwell::onnx

#endif  // STEPWELL_MODEL_ONNX_ONNX_FILE_H_
