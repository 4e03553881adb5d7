#include "stepwell/model/testing/graph_builder.h"

#include "stepwell/model/onnx/element_type.h"

namespace stepwell::testing {
namespace {

void Set(model::onnx_subset::ValueInfoProto& value, const TensorSpec& spec) {
  value.set_name(spec.name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::ToElementType(spec.dtype));  // ONNX's own numbers.
  auto& shape = *tensor.mutable_shape();
  for (const Dim& dim : spec.dims) {
    auto& written = *shape.add_dim();
    if (!dim.is_dynamic()) {
      written.set_dim_value(dim.extent);
    } else if (!dim.name.empty()) {
      written.set_dim_param(dim.name);
    }
  }
}

}  // namespace

GraphBuilder::GraphBuilder() {
  model_.set_ir_version(10);
  model_.add_opset_import()->set_version(21);
  model_.mutable_graph()->set_name("graph");
}

GraphBuilder& GraphBuilder::Input(const TensorSpec& spec) {
  Set(*model_.mutable_graph()->add_input(), spec);
  return *this;
}

GraphBuilder& GraphBuilder::Output(const TensorSpec& spec) {
  Set(*model_.mutable_graph()->add_output(), spec);
  return *this;
}

GraphBuilder& GraphBuilder::Node(const std::string& op, const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs, const std::string& domain) {
  NodeProto& node = *model_.mutable_graph()->add_node();
  node.set_op_type(op);
  node.set_domain(domain);
  node.mutable_input()->Add(inputs.begin(), inputs.end());
  node.mutable_output()->Add(outputs.begin(), outputs.end());
  return *this;
}

GraphBuilder& GraphBuilder::Initializer(const std::string& name, const Array& value) {
  TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::ToElementType(value.dtype()));
  tensor.mutable_dims()->Add(value.shape().dims().begin(), value.shape().dims().end());
  tensor.set_raw_data(value.data().data(), value.data().size());
  return *this;
}

GraphBuilder& GraphBuilder::Metadata(const std::string& key, const std::string& value) {
  auto& entry = *model_.add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
  return *this;
}

GraphBuilder CounterGraph() {
  GraphBuilder graph;
  graph.Input({"count", DType::kInt32, {}})
      .Input({"x", DType::kInt32, {}})
      .Node("Add", {"count", "x"}, {"count.next"})
      .Node("Identity", {"count.next"}, {"y"})
      .Output({"y", DType::kInt32, {}})
      .Output({"count.next", DType::kInt32, {}});
  return graph;
}

}  // namespace stepwell::testing
