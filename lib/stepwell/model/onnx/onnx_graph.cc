#include "stepwell/model/onnx/onnx_graph.h"

#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "stepwell/model/onnx/element_type.h"
#include "stepwell/model/onnx/onnx_file.h"

namespace stepwell::onnx {
namespace {

using model::onnx_subset::ModelProto;
using model::onnx_subset::ValueInfoProto;
using ValueInfos = google::protobuf::RepeatedPtrField<ValueInfoProto>;

absl::StatusOr<OrtSessionPtr> MakeSession(const std::string& content, const Package& package,
                                          const GraphOptions& options) {
  const absl::StatusOr<OrtEnv*> environment = OrtEnvironment();
  if (!environment.ok()) return environment.status();
  const OrtApi& ort = Ort();
  OrtSessionOptions* raw_options = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(ort.CreateSessionOptions(&raw_options));
  const OrtSessionOptionsPtr session_options(raw_options);
  STEPWELL_RETURN_IF_ORT_FAILS(ort.SetIntraOpNumThreads(raw_options, options.threads));
  STEPWELL_RETURN_IF_ORT_FAILS(ort.SetInterOpNumThreads(raw_options, 1));
  // Threads that share a session and its arena wait for each other: without it they carry 2.6 times the load.
  STEPWELL_RETURN_IF_ORT_FAILS(ort.DisableCpuMemArena(raw_options));
  // The bytes that were checked are the bytes that run; only external data is read from the folder.
  STEPWELL_RETURN_IF_ORT_FAILS(ort.AddSessionConfigEntry(
      raw_options, kOrtSessionOptionsModelExternalInitializersFileFolderPath, package.folder().c_str()));
  OrtSession* session = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(
      ort.CreateSessionFromArray(*environment, content.data(), content.size(), raw_options, &session));
  return OrtSessionPtr(session);
}

// Whether the file says what shape `name` has. ONNX Runtime tells a shape that it does not know as a
// scalar's.
bool DeclaresShape(const ValueInfos& values, const std::string& name) {
  return std::ranges::any_of(values, [&name](const ValueInfoProto& value) {
    return value.name() == name && value.type().tensor_type().has_shape();
  });
}

// Reads the inputs or the outputs of a session.
class TensorReader {
 public:
  TensorReader(OrtSession* session, const std::string& file, const ModelProto& model, Issues& issues)
      : session_(session), file_(file), model_(model), issues_(issues) {}

  absl::Status Read(GraphInfo& info) {
    OrtAllocator* allocator = nullptr;
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetAllocatorWithDefaultOptions(&allocator));
    for (const bool is_input : {true, false}) {
      size_t count = 0;
      STEPWELL_RETURN_IF_ORT_FAILS(is_input ? Ort().SessionGetInputCount(session_, &count)
                                            : Ort().SessionGetOutputCount(session_, &count));
      for (size_t i = 0; i < count; ++i) {
        char* name = nullptr;
        STEPWELL_RETURN_IF_ORT_FAILS(is_input ? Ort().SessionGetInputName(session_, i, allocator, &name)
                                              : Ort().SessionGetOutputName(session_, i, allocator, &name));
        TensorSpec spec;
        spec.name = name;
        STEPWELL_RETURN_IF_ORT_FAILS(Ort().AllocatorFree(allocator, name));
        OrtTypeInfo* type = nullptr;
        STEPWELL_RETURN_IF_ORT_FAILS(is_input ? Ort().SessionGetInputTypeInfo(session_, i, &type)
                                              : Ort().SessionGetOutputTypeInfo(session_, i, &type));
        if (absl::Status status = ReadType(*OrtTypeInfoPtr(type), is_input, spec); !status.ok())
          return status;
        (is_input ? info.inputs : info.outputs).push_back(std::move(spec));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadType(const OrtTypeInfo& type, bool is_input, TensorSpec& spec) {
    const std::string what = absl::StrCat(is_input ? "input" : "output", " \"", spec.name, "\" ");
    const OrtTensorTypeAndShapeInfo* tensor = nullptr;
    ONNXType kind = ONNX_TYPE_UNKNOWN;
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetOnnxTypeFromTypeInfo(&type, &kind));
    if (kind == ONNX_TYPE_TENSOR)
      STEPWELL_RETURN_IF_ORT_FAILS(Ort().CastTypeInfoToTensorInfo(&type, &tensor));
    if (tensor == nullptr) {
      issues_.Add(file_, what, "is a ", OnnxTypeName(kind), "; expected a dense tensor");
      return absl::OkStatus();
    }
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetTensorElementType(tensor, &element));
    if (const std::optional<DType> dtype = FromElementType(element)) {
      spec.dtype = *dtype;
    } else {
      issues_.Add(file_, what, "has elements of type ", ElementTypeName(element),
                  "; expected bool, integers or floating-point numbers");
    }
    size_t rank = 0;
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetDimensionsCount(tensor, &rank));
    std::vector<int64_t> extents(rank);
    std::vector<const char*> names(rank);
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetDimensions(tensor, extents.data(), rank));
    STEPWELL_RETURN_IF_ORT_FAILS(Ort().GetSymbolicDimensions(tensor, names.data(), rank));
    if (rank == 0 && !DeclaresShape(is_input ? model_.graph().input() : model_.graph().output(), spec.name)) {
      issues_.Add(file_, what,
                  "has no shape; expected the graph to declare one, be it with dynamic dimensions");
    }
    for (size_t axis = 0; axis < rank; ++axis) {
      const bool fixed = extents[axis] >= 0;
      spec.dims.push_back(fixed ? Dim{extents[axis], ""} : Dim{Dim::kDynamic, names[axis]});
    }
    // A dynamic dimension counts as 1 here: it may be that.
    std::ranges::replace_if(
        extents, [](int64_t extent) { return extent < 0; }, 1);
    if (const auto smallest = Shape::Make(extents); !smallest.ok()) {
      issues_.Add(file_, what, "has a wrong shape: ", smallest.status().message());
    }
    return absl::OkStatus();
  }

  OrtSession* const session_;
  const std::string& file_;
  const ModelProto& model_;
  Issues& issues_;
};

}  // namespace

std::shared_ptr<const OnnxGraph> OnnxGraph::Load(const Package& package, const std::string& file,
                                                 const GraphOptions& options, Issues& issues) {
  std::string content;
  const std::optional<ModelProto> model = ReadOnnxFile(package, file, issues, content);
  if (!model.has_value()) return nullptr;
  absl::StatusOr<OrtSessionPtr> session = MakeSession(content, package, options);
  if (!session.ok()) {
    issues.Add(file, session.status().message());
    return nullptr;
  }
  const size_t before = issues.lines().size();
  GraphInfo info;
  const absl::Status read = TensorReader(session->get(), file, *model, issues).Read(info);
  if (!read.ok()) issues.Add(file, read.message());
  if (issues.lines().size() > before) return nullptr;
  return std::shared_ptr<const OnnxGraph>(new OnnxGraph(*std::move(session), std::move(info)));
}

}  // namespace stepwell::onnx
