#ifndef STEPWELL_MODEL_ONNX_ONNX_GRAPH_H_
#define STEPWELL_MODEL_ONNX_ONNX_GRAPH_H_

#include <memory>
#include <string>

#include "stepwell/model/binding.h"
#include "stepwell/model/issues.h"
#include "stepwell/model/onnx/ort.h"
#include "stepwell/model/package.h"

namespace stepwell::onnx {

struct GraphOptions {
  int threads = 1;  // ONNX Runtime's threads inside one run; 1: none beside the caller's.
};

// One .onnx file as an ONNX Runtime session on the CPU. Immutable. Thread-safe.
class OnnxGraph {
 public:
  // Loads `file` of `package`. Adds an issue for everything that is wrong with it (see ReadOnnxFile; what
  // ONNX Runtime says; inputs and outputs that are no tensors, or of a dtype that arrays do not have, or
  // whose rank nothing tells), and then returns null.
  static std::shared_ptr<const OnnxGraph> Load(const Package& package, const std::string& file,
                                               const GraphOptions& options, Issues& issues);

  const GraphInfo& info() const { return info_; }

  // Thread-safe to run, which changes nothing that this class promises.
  OrtSession* session() const { return session_.get(); }

 private:
  OnnxGraph(OrtSessionPtr session, GraphInfo info) : session_(std::move(session)), info_(std::move(info)) {}

  const OrtSessionPtr session_;
  const GraphInfo info_;
};

}  // namespace stepwell::onnx

#endif  // STEPWELL_MODEL_ONNX_ONNX_GRAPH_H_
