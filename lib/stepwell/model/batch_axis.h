#ifndef STEPWELL_MODEL_BATCH_AXIS_H_
#define STEPWELL_MODEL_BATCH_AXIS_H_

#include <string>

#include "stepwell/model/binding.h"
#include "stepwell/model/issues.h"

namespace stepwell {

// What one step takes and gives where `graph`, which was read from `graph_file`, is of a model that declares
// batching: everything without its outermost axis, along which the steps of a batch are stacked. Adds an
// issue for each input and output that does not have this axis or has it with a fixed extent, and for a graph
// without inputs, which nothing would tell how many steps to compute.
GraphInfo WithoutBatchAxis(const GraphInfo& graph, const std::string& graph_file, Issues& issues);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_BATCH_AXIS_H_
