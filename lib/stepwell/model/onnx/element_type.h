#ifndef STEPWELL_MODEL_ONNX_ELEMENT_TYPE_H_
#define STEPWELL_MODEL_ONNX_ELEMENT_TYPE_H_

#include <onnxruntime_c_api.h>

#include <optional>
#include <string>

#include "stepwell/array/dtype.h"

namespace stepwell::onnx {

// The element type of ONNX that `dtype` is; every DType is one.
ONNXTensorElementDataType ToElementType(DType dtype);

// The reverse, or nothing for a type that arrays do not have, such as strings.
std::optional<DType> FromElementType(ONNXTensorElementDataType type);

// For messages: "string", "complex64" and the like, a number for what this version does not know.
std::string ElementTypeName(ONNXTensorElementDataType type);
std::string OnnxTypeName(ONNXType type);

}  // namespace stepwell::onnx

#endif  // STEPWELL_MODEL_ONNX_ELEMENT_TYPE_H_
