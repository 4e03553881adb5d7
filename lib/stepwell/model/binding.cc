#include "stepwell/model/binding.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace stepwell {
namespace {

constexpr absl::string_view kNext = ".next";
constexpr absl::string_view kAppend = ".append";

std::optional<size_t> FindTensor(const std::vector<TensorSpec>& tensors, absl::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorSpec::name);
  if (found == tensors.end()) return std::nullopt;
  return static_cast<size_t>(found - tensors.begin());
}

// Up to eight names, and how many there are beside.
std::string ListNames(absl::Span<const TensorSpec> tensors) {
  if (tensors.empty()) return "none";
  const absl::Span<const TensorSpec> listed = tensors.subspan(0, 8);
  const size_t more = tensors.size() - listed.size();
  return absl::StrCat(
      absl::StrJoin(listed, ", ",
                    [](std::string* out, const TensorSpec& tensor) { absl::StrAppend(out, tensor.name); }),
      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

// Whether an array of dimension `from` always fits `to`, or, when `to` is checked at run time, may fit.
bool DimFits(const Dim& from, const Dim& to, bool may_be_checked_later) {
  if (to.is_dynamic()) return true;
  if (from.is_dynamic()) return may_be_checked_later;
  return from.extent == to.extent;
}

bool TensorFits(const TensorSpec& from, const TensorSpec& to, bool may_be_checked_later) {
  return from.dtype == to.dtype &&
         std::ranges::equal(from.dims, to.dims,
                            [may_be_checked_later](const Dim& from_dim, const Dim& to_dim) {
                              return DimFits(from_dim, to_dim, may_be_checked_later);
                            });
}

// Binds one method. Thread-compatible.
class Binder {
 public:
  Binder(std::string place, std::string graph_file, const StateSpec& spec,
         const absl::flat_hash_set<std::string>& without_type, const GraphInfo& graph, Issues& issues)
      : place_(std::move(place)),
        graph_file_(std::move(graph_file)),
        spec_(spec),
        without_type_(without_type),
        graph_(graph),
        issues_(issues),
        read_of_(graph.inputs.size()),
        writes_of_(graph.outputs.size()) {}

  void AddRead(const std::string& index, const std::string& input) {
    const std::optional<int> position = FindIndex("reads", index);
    const std::optional<size_t> slot = FindTensor(graph_.inputs, input);
    if (!slot.has_value()) {
      issues_.Add(place_, "reads \"", index, "\" into input \"", absl::CHexEscape(input), "\", which \"",
                  graph_file_, "\" does not have; it has ", ListNames(graph_.inputs));
      return;
    }
    if (!fed_.insert(input).second) {
      issues_.Add(place_, "input \"", input, "\" is fed by two reads, the second of \"", index,
                  "\"; expected at most one");
      return;
    }
    if (!position.has_value()) return;
    read_of_[*slot] = *position;
    const TensorSpec& want = graph_.inputs[*slot];
    const TensorSpec& have = spec_[*position].tensor;
    if (!TensorFits(have, want, false)) {
      issues_.Add(place_, "reads \"", index, "\", ", have.ToString(), " in the state spec, into input \"",
                  input, "\" of \"", graph_file_, "\", which takes ", want.ToString(),
                  "; expected one that takes every such array");
    }
  }

  void AddWrite(const std::string& index, const std::string& output, bool appends) {
    const std::optional<int> position = FindIndex("writes", index);
    if (!written_.insert(index).second) {
      issues_.Add(place_, "index \"", absl::CHexEscape(index),
                  "\" is written twice, the second time from output \"", absl::CHexEscape(output),
                  "\"; expected at most once");
      return;
    }
    const std::optional<size_t> slot = FindTensor(graph_.outputs, output);
    if (!slot.has_value()) {
      issues_.Add(place_, "writes \"", index, "\" from output \"", absl::CHexEscape(output), "\", which \"",
                  graph_file_, "\" does not have; it has ", ListNames(graph_.outputs));
      return;
    }
    if (!position.has_value()) return;
    writes_of_[*slot].push_back({*position, appends});
    const TensorSpec& have = graph_.outputs[*slot];
    const TensorSpec& want = spec_[*position].tensor;
    if (appends && (want.dims.empty() || !want.dims.front().is_dynamic())) {
      issues_.Add(place_, "appends output \"", output, "\" of \"", graph_file_, "\" to \"", index, "\", ",
                  want.ToString(),
                  " in the state spec; expected an outermost dimension of -1, which may grow");
      return;
    }
    if (!TensorFits(have, want, true)) {
      issues_.Add(place_, "writes \"", index, "\", ", want.ToString(), " in the state spec, from output \"",
                  output, "\" of \"", graph_file_, "\", which gives ", have.ToString(),
                  "; expected what fits the spec");
    }
  }

  BoundMethod Finish(std::string name) const {
    BoundMethod bound;
    bound.name = std::move(name);
    for (size_t slot = 0; slot < graph_.inputs.size(); ++slot) {
      if (const std::optional<int> read = read_of_[slot]) {
        bound.feeds.push_back({true, *read});
        if (!std::ranges::count(bound.reads, *read)) bound.reads.push_back(*read);
      } else {
        bound.feeds.push_back({false, static_cast<int>(bound.inputs.size())});
        bound.inputs.push_back(graph_.inputs[slot]);
      }
    }
    for (size_t slot = 0; slot < graph_.outputs.size(); ++slot) {
      for (const Write& write : writes_of_[slot]) {
        bound.writes.push_back(write.position);
        bound.appends.push_back(write.appends);
        bound.write_slots.push_back(static_cast<int>(slot));
      }
      if (!writes_of_[slot].empty()) continue;
      bound.outputs.push_back(graph_.outputs[slot]);
      bound.output_slots.push_back(static_cast<int>(slot));
    }
    return bound;
  }

 private:
  struct Write {
    int position;  // In the state spec.
    bool appends;
  };

  std::optional<int> FindIndex(absl::string_view verb, const std::string& index) {
    if (const std::optional<int> position = spec_.Find(index)) return position;
    if (without_type_.contains(index)) return std::nullopt;  // Told already.
    issues_.Add(place_, verb, " \"", absl::CHexEscape(index), "\", which is not in the state spec; expected ",
                spec_.size() == 0 ? "none, as the model has no state" : "one of its indices");
    return std::nullopt;
  }

  const std::string place_;
  const std::string graph_file_;
  const StateSpec& spec_;
  const absl::flat_hash_set<std::string>& without_type_;
  const GraphInfo& graph_;
  Issues& issues_;
  std::vector<std::optional<int>> read_of_;    // The position that feeds each graph input.
  std::vector<std::vector<Write>> writes_of_;  // Where each graph output is written to.
  absl::flat_hash_set<std::string> fed_;
  absl::flat_hash_set<std::string> written_;
};

}  // namespace

BoundMethod BindMethod(const ConfigText& text, int i, const StateSpec& spec,
                       const absl::flat_hash_set<std::string>& without_type, const std::string& graph_file,
                       const GraphInfo& graph, Issues& issues) {
  const model::Method& config = text.config.method(i);
  Binder binder(text.MethodPlace(i), graph_file, spec, without_type, graph, issues);
  if (config.reads().empty() && config.writes().empty()) {
    for (const TensorSpec& input : graph.inputs) {
      if (spec.Find(input.name)) binder.AddRead(input.name, input.name);
    }
    for (const TensorSpec& output : graph.outputs) {
      absl::string_view index = output.name;
      const bool appends = absl::ConsumeSuffix(&index, kAppend);
      if ((appends || absl::ConsumeSuffix(&index, kNext)) && spec.Find(index)) {
        binder.AddWrite(std::string(index), output.name, appends);
      }
    }
  }
  for (const model::Read& read : config.reads()) {
    binder.AddRead(read.index(), read.input().empty() ? read.index() : read.input());
  }
  for (const model::Write& write : config.writes()) {
    const absl::string_view suffix = write.appends() ? kAppend : kNext;
    binder.AddWrite(write.index(),
                    write.output().empty() ? absl::StrCat(write.index(), suffix) : write.output(),
                    write.appends());
  }
  return binder.Finish(config.name());
}

}  // namespace stepwell
