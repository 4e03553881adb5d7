#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/syntax.h"
#include "client/cli/table.h"

namespace stepwell::cli {
namespace {

using ArrayDiff = v1::DiffSnapshotsResponse::ArrayDiff;
using Extents = google::protobuf::RepeatedField<int64_t>;

struct DiffArguments {
  std::string from;
  std::string to;
  std::string index;
  std::optional<int> position;
  std::optional<std::string> subtree;
  bool all = false;
};

absl::StatusOr<client::DiffSnapshotsRequest> ParseRequest(const DiffArguments& arguments) {
  const absl::StatusOr<client::StateRef> from = ParseStateRef(arguments.from);
  if (!from.ok()) return from.status();
  const absl::StatusOr<client::StateRef> to = ParseStateRef(arguments.to);
  if (!to.ok()) return to.status();
  client::DiffSnapshotsRequest request{.from = *from, .to = *to, .include_same = arguments.all};
  if (!arguments.index.empty()) request.index = client::IndexPath{arguments.index};
  if (arguments.position.has_value()) request.index = client::IndexPosition{*arguments.position};
  if (arguments.subtree.has_value()) request.index = client::IndexSubtree{*arguments.subtree};
  return request;
}

// "float32 (8, ?)"; empty where the index is absent.
std::string TypeToText(v1::DType dtype, const Extents& shape) {
  if (!v1::DType_IsValid(dtype) || dtype == v1::DTYPE_UNSPECIFIED) return "";
  const auto add_extent = [](std::string* out, int64_t extent) {
    if (extent < 0) {
      out->append("?");
    } else {
      absl::StrAppend(out, extent);
    }
  };
  return absl::StrCat(DTypeName(static_cast<DType>(dtype)), " (", absl::StrJoin(shape, ", ", add_extent),
                      ")");
}

Json TypeToJson(v1::DType dtype, const Extents& shape) {
  if (!v1::DType_IsValid(dtype) || dtype == v1::DTYPE_UNSPECIFIED) return {};
  return {{"dtype", std::string(DTypeName(static_cast<DType>(dtype)))},
          {"shape", std::vector<int64_t>(shape.begin(), shape.end())}};
}

// What becomes of a difference that may be no number is what becomes of any other float.
Json DifferenceToJson(bool is_known, double difference) {
  return is_known ? ArrayToJson(Array::Scalar(difference)) : Json();
}

Json DiffToJson(const v1::DiffSnapshotsResponse& diff) {
  Json arrays = Json::object();
  for (const ArrayDiff& array : diff.arrays()) {
    arrays[array.index()] = {
        {"kind", ArrayDiff::Kind_Name(array.kind())},
        {"from", TypeToJson(array.from_dtype(), array.from_shape())},
        {"to", TypeToJson(array.to_dtype(), array.to_shape())},
        {"max_abs_difference", DifferenceToJson(array.has_max_abs_difference(), array.max_abs_difference())},
        {"mean_abs_difference",
         DifferenceToJson(array.has_mean_abs_difference(), array.mean_abs_difference())}};
  }
  return {{"from_version", diff.from_version()}, {"to_version", diff.to_version()}, {"arrays", arrays}};
}

const char* KindToText(ArrayDiff::Kind kind) {
  switch (kind) {
    case ArrayDiff::SAME:
      return "same";
    case ArrayDiff::CHANGED:
      return "changed";
    case ArrayDiff::ADDED:
      return "added";
    case ArrayDiff::REMOVED:
      return "removed";
    default:
      return "";
  }
}

std::string TypesToText(const ArrayDiff& array) {
  const std::string from = TypeToText(array.from_dtype(), array.from_shape());
  const std::string to = TypeToText(array.to_dtype(), array.to_shape());
  if (from.empty() || to.empty() || from == to) return to.empty() ? from : to;
  return absl::StrCat(from, " to ", to);
}

void WriteDiff(const v1::DiffSnapshotsResponse& diff, std::ostream& out) {
  out << "version " << diff.from_version() << " to version " << diff.to_version() << "\n\n";
  if (diff.arrays().empty()) {
    out << "no array differs\n";
    return;
  }
  Table table({"INDEX", "KIND", "ARRAY", "MAX |TO-FROM|", "MEAN |TO-FROM|"});
  for (const ArrayDiff& array : diff.arrays()) {
    const auto difference = [&array](double value) {
      return array.kind() == ArrayDiff::CHANGED && array.has_max_abs_difference() ? absl::StrCat(value) : "-";
    };
    table.Add({array.index(), KindToText(array.kind()), TypesToText(array),
               difference(array.max_abs_difference()), difference(array.mean_abs_difference())});
  }
  table.Write(out);
}

absl::Status Diff(Session& session, const DiffArguments& arguments) {
  const absl::StatusOr<client::DiffSnapshotsRequest> request = ParseRequest(arguments);
  if (!request.ok()) return request.status();
  const absl::StatusOr<v1::DiffSnapshotsResponse> diff = session.client().DiffSnapshots(*request);
  if (!diff.ok()) return diff.status();
  if (session.json()) {
    session.Write(DiffToJson(*diff));
  } else {
    WriteDiff(*diff, session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDiffCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<DiffArguments>();
  CLI::App* command = app.add_subcommand("diff", "Tells how two states differ, index by index");
  AddPositional(*command, "FROM", arguments->from, kStateHelp)->required();
  AddPositional(*command, "TO", arguments->to, "Likewise; it may be of another revision or model")
      ->required();
  CLI::Option* index = command->add_option("--index,-x", arguments->index, "Only this array")
                           ->transform(ShowBrackets, "", "")
                           ->type_name("INDEX");
  CLI::Option* position =
      command
          ->add_option("--position,-p", arguments->position, "Only the one at this place in TO's state spec")
          ->type_name("N");
  CLI::Option* subtree =
      command->add_option("--subtree,-t", arguments->subtree, "Only arrays at or below this path")
          ->transform(ShowBrackets, "", "")
          ->type_name("PATH");
  index->excludes(position)->excludes(subtree);
  position->excludes(subtree);
  command->add_flag("--all,-a", arguments->all, "List the arrays that are the same, too");
  command->footer(
      "Changed are arrays whose dtype, shape or bytes differ; of the same shape, it is told by how much.\n"
      "Arrays that the two states share are not even read.\n"
      "\n"
      "Examples:\n"
      "  stepwell diff 1 live\n"
      "  stepwell diff live trial --subtree 'blocks[0]' --all\n"
      "  stepwell diff 3 4 --json | jq '.arrays | keys'");
  Choose(*command, chosen, [arguments](Session& session) { return Diff(session, *arguments); });
}

}  // namespace stepwell::cli
