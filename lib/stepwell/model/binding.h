#ifndef STEPWELL_MODEL_BINDING_H_
#define STEPWELL_MODEL_BINDING_H_

#include <string>
#include <vector>

#include "stepwell/model/issues.h"
#include "stepwell/model/model_config.h"
#include "stepwell/model/state_spec.h"

namespace stepwell {

// What a graph takes and gives, in its own order.
struct GraphInfo {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// A method's graph bound to the state spec. The vectors beside `name` are as Method has them; the others say
// where each array goes.
struct BoundMethod {
  // What feeds a graph input.
  struct Feed {
    bool from_state;
    int position;  // In the state spec, or in `inputs`.
  };

  std::string name;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<int> reads;     // Distinct.
  std::vector<int> writes;    // Distinct.
  std::vector<bool> appends;  // For each of `writes`.

  std::vector<Feed> feeds;        // One for each graph input.
  std::vector<int> output_slots;  // The graph output behind each of `outputs`.
  std::vector<int> write_slots;   // The graph output behind each of `writes`; one may be behind several.
};

// Binds method `i` of `text` to `graph`, which was read from `graph_file`. Adds an issue for everything in
// the text that the graph or `spec` does not have, for two writes to one index or two reads into one input,
// and for each dtype, rank or dimension in which a graph and `spec` differ. A read's graph input must take
// every array that the spec allows; a write's graph output may be less certain than the spec, and is then
// checked when it runs. An index that is appended to must have a dynamic outermost dimension. Indices in
// `without_type` are declared but have nothing to compare with.
BoundMethod BindMethod(const ConfigText& text, int i, const StateSpec& spec,
                       const absl::flat_hash_set<std::string>& without_type, const std::string& graph_file,
                       const GraphInfo& graph, Issues& issues);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_BINDING_H_
