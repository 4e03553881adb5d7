#include "stepwell/model/onnx/onnx_file.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace stepwell::onnx {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using model::onnx_subset::ModelProto;
using model::onnx_subset::TensorProto;

// Calls `visit` with every TensorProto in `message`, however deep: initializers, attributes, subgraphs,
// functions.
template <typename Visit>
void VisitTensors(const Message& message, const Visit& visit) {
  if (message.GetDescriptor() == TensorProto::descriptor()) {
    visit(static_cast<const TensorProto&>(message));
    return;
  }
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      VisitTensors(reflection.GetMessage(message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      VisitTensors(reflection.GetRepeatedMessage(message, field, i), visit);
    }
  }
}

// Whatever data_location says, a location that is there must be in the package.
void CheckExternalData(const Package& package, const std::string& file, const TensorProto& tensor,
                       Issues& issues) {
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() != "location") continue;
    const absl::Status found = package.Find(entry.value()).status();
    // A file could bear even the name that stands for a memory address.
    const bool is_address = entry.value().find('*') != std::string::npos;
    if (found.ok() && !is_address) continue;
    issues.Add(file, "tensor \"", absl::CHexEscape(tensor.name()), "\" has its data in \"",
               absl::CHexEscape(entry.value()),
               "\": ", is_address ? "expected a file name without \"*\"" : found.message());
  }
}

}  // namespace

std::optional<ModelProto> ReadOnnxFile(const Package& package, const std::string& file, Issues& issues,
                                       std::string& content) {
  absl::StatusOr<std::string> read = package.Read(file);
  if (!read.ok()) {
    issues.Add(absl::CHexEscape(file), read.status().message());
    return std::nullopt;
  }
  content = *std::move(read);
  std::optional<ModelProto> model(std::in_place);
  if (!model->ParseFromString(content) || !model->has_graph()) {
    issues.Add(file, "the ", content.size(), " bytes are no ONNX model; expected one, whole");
    return std::nullopt;
  }
  const size_t before = issues.lines().size();
  VisitTensors(*model, [&](const TensorProto& tensor) { CheckExternalData(package, file, tensor, issues); });
  if (issues.lines().size() > before) return std::nullopt;
  return model;
}

std::optional<std::string> FindStepwellText(const ModelProto& model) {
  for (const auto& entry : model.metadata_props()) {
    if (entry.key() == "stepwell.model") return entry.value();
  }
  return std::nullopt;
}

}  // namespace stepwell::onnx
