#include "stepwell/model/batch_axis.h"

#include <vector>

#include "absl/strings/string_view.h"

namespace stepwell {
namespace {

void DropBatchAxis(std::vector<TensorSpec>& tensors, absl::string_view what, const std::string& graph_file,
                   Issues& issues) {
  for (TensorSpec& tensor : tensors) {
    if (tensor.dims.empty() || !tensor.dims.front().is_dynamic()) {
      issues.Add(
          graph_file, what, " \"", tensor.name, "\" is ", tensor.ToString(),
          "; expected a dynamic outermost axis, along which the steps of a batch are stacked, since the "
          "model declares batching");
    } else {
      tensor.dims.erase(tensor.dims.begin());
    }
  }
}

}  // namespace

GraphInfo WithoutBatchAxis(const GraphInfo& graph, const std::string& graph_file, Issues& issues) {
  GraphInfo of_one_step = graph;
  if (graph.inputs.empty()) {
    issues.Add(graph_file,
               "the graph has no input; expected at least one, since the model declares batching");
  }
  DropBatchAxis(of_one_step.inputs, "input", graph_file, issues);
  DropBatchAxis(of_one_step.outputs, "output", graph_file, issues);
  return of_one_step;
}

}  // namespace stepwell
