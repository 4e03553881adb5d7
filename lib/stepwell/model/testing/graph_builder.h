#ifndef STEPWELL_MODEL_TESTING_GRAPH_BUILDER_H_
#define STEPWELL_MODEL_TESTING_GRAPH_BUILDER_H_

#include <string>
#include <vector>

#include "stepwell/array/array.h"
#include "stepwell/model/onnx/onnx_subset.pb.h"
#include "stepwell/model/state_spec.h"

namespace stepwell::testing {

// Writes small ONNX graphs, right or wrong: nothing is checked here. Thread-compatible.
class GraphBuilder {
 public:
  using ModelProto = model::onnx_subset::ModelProto;
  using NodeProto = model::onnx_subset::NodeProto;
  using TensorProto = model::onnx_subset::TensorProto;

  GraphBuilder();

  GraphBuilder& Input(const TensorSpec& spec);
  GraphBuilder& Output(const TensorSpec& spec);
  GraphBuilder& Node(const std::string& op, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const std::string& domain = "");
  GraphBuilder& Initializer(const std::string& name, const Array& value);
  GraphBuilder& Metadata(const std::string& key, const std::string& value);

  // For what the calls above do not write.
  ModelProto& model() { return model_; }

  // The bytes of the .onnx file.
  std::string Bytes() const { return model_.SerializeAsString(); }

 private:
  ModelProto model_;
};

// A counter: y = count.next = count + x, int32 scalars.
GraphBuilder CounterGraph();

}  // namespace stepwell::testing

#endif  // STEPWELL_MODEL_TESTING_GRAPH_BUILDER_H_
