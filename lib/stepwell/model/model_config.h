#ifndef STEPWELL_MODEL_MODEL_CONFIG_H_
#define STEPWELL_MODEL_MODEL_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "stepwell/model/issues.h"
#include "stepwell/model/model_config.pb.h"
#include "stepwell/model/package.h"
#include "stepwell/model/state_spec.h"

namespace stepwell {

// A parsed model.textproto, and where in the text its parts stand. Internal to this layer: no public header
// includes it. Thread-compatible.
struct ConfigText {
  model::ModelConfig config;
  std::string file;               // Where the text came from, for messages.
  std::vector<int> state_lines;   // From 1; in the order of config.state().
  std::vector<int> method_lines;  // In the order of config.method().

  // "model.textproto:3: state "hidden"" and the like.
  std::string StatePlace(int i) const;
  std::string MethodPlace(int i) const;
};

// Parses `text`. Adds an issue with line and column, and returns nothing, when `text` is no text of the
// schema.
std::optional<ConfigText> ParseModelConfig(absl::string_view text, absl::string_view file, Issues& issues);

// The state arrays of a config.
struct StateArrays {
  std::vector<StateArraySpec> arrays;  // Of distinct, well-formed indices.
  absl::flat_hash_set<std::string>
      without_type;  // Indices whose dtype or shape is wrong: nothing to compare with.
};

// Checks the state arrays of `text` and reads the initial values that stand in files. Adds an issue for each
// wrong index, dtype, shape or initial value.
StateArrays MakeStateArrays(const ConfigText& text, const Package& package, Issues& issues);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_MODEL_CONFIG_H_
