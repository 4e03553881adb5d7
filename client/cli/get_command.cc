#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/npy.h"
#include "client/cli/progress.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct GetArguments {
  std::string state;
  std::vector<std::string> indices;
  std::vector<int> positions;
  std::vector<std::string> subtrees;
  std::string slices;
  std::string npy_file;
};

absl::StatusOr<client::GetArraysRequest> ParseRequest(const GetArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::GetArraysRequest request{.state = *state};
  for (const std::string& index : arguments.indices)
    request.selectors.push_back({client::IndexPath{index}, {}});
  for (const int position : arguments.positions)
    request.selectors.push_back({client::IndexPosition{position}, {}});
  for (const std::string& subtree : arguments.subtrees) {
    request.selectors.push_back({client::IndexSubtree{subtree}, {}});
  }
  if (arguments.slices.empty()) return request;
  if (request.selectors.empty())
    return BadInput("--slice cuts an array; say which, by its INDEX or --position");
  absl::StatusOr<std::vector<Slice>> slices = ParseSlices(arguments.slices);
  if (!slices.ok()) return slices.status();
  for (client::ArraySelector& selector : request.selectors) selector.slices = *slices;
  return request;
}

absl::Status WriteOneArray(Session& session, const client::GetArraysResult& result, const std::string& file) {
  if (result.arrays.size() != 1) {
    return BadInput(absl::StrCat("--npy writes one array, and ", result.arrays.size(),
                                 " are asked for; name one by its INDEX or --position"));
  }
  const auto& [index, array] = result.arrays[0];
  if (file == "-") {
    const std::string bytes = WriteNpy(array);
    session.out().write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return absl::OkStatus();
  }
  const absl::Status written = WriteNpyFile(array, file);
  if (!written.ok()) return written;
  if (session.json()) {
    session.Write({{"version", result.version.value},
                   {"index", index},
                   {"dtype", std::string(DTypeName(array.dtype()))},
                   {"shape", std::vector<int64_t>(array.shape().dims().begin(), array.shape().dims().end())},
                   {"file", file}});
    return absl::OkStatus();
  }
  session.out() << "version " << result.version.value << "\nwrote " << index << ", " << array.dtype() << " "
                << array.shape() << ", to " << file
                << (array.dtype() == DType::kBFloat16 ? " as float32, since numpy has no bfloat16" : "")
                << "\n";
  return absl::OkStatus();
}

absl::Status Get(Session& session, const GetArguments& arguments) {
  const absl::StatusOr<client::GetArraysRequest> request = ParseRequest(arguments);
  if (!request.ok()) return request.status();
  absl::StatusOr<client::GetArraysResult> result;
  {
    ProgressBar bar(isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr);
    client::CallOptions options;
    options.on_progress = [&bar](int64_t received, int64_t total) { bar.Update(received, total); };
    result = session.client().ReadArrays(*request, options);
  }
  if (!result.ok()) return result.status();
  if (!arguments.npy_file.empty()) return WriteOneArray(session, *result, arguments.npy_file);
  if (session.json()) {
    session.Write({{"version", result->version.value}, {"arrays", ArraysToJson(result->arrays)}});
  } else {
    session.out() << "version " << result->version.value << "\n";
    WriteArrays(result->arrays, session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddGetCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<GetArguments>();
  CLI::App* command = app.add_subcommand("get", "Shows state arrays: all, or those that are named");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  AddPositionals(*command, "INDEX", arguments->indices, "Key paths, such as layers[0].norm.mean; none: all")
      ->type_name("");
  AddRepeated(*command, "--position,-p", arguments->positions,
              "By its place in the state spec, from 0; may be repeated")
      ->type_name("N");
  AddRepeated(*command, "--subtree,-t", arguments->subtrees,
              "Every array at or below this path; may be repeated")
      ->type_name("PATH");
  command
      ->add_option("--slice,-s", arguments->slices,
                   "A part of each array, as Python cuts it: START:STOP:STEP for each axis, or one number")
      ->type_name("SLICES");
  command
      ->add_option("--npy", arguments->npy_file,
                   "Write the one array to this file, for numpy.load; - is stdout")
      ->type_name("FILE");
  command->footer(
      "Arrays are shown as numpy shows them; --json has every element. State of any size can be read.\n"
      "\n"
      "Examples:\n"
      "  stepwell get live\n"
      "  stepwell get 3 'layers[1].batch_counter'\n"
      "  stepwell get 3 --subtree 'blocks[0].norm'\n"
      "  stepwell get live 'cache[0]' --slice 0:4,::2\n"
      "  stepwell get live hidden --slice=-2: --npy last.npy");
  Choose(*command, chosen, [arguments](Session& session) { return Get(session, *arguments); });
}

}  // namespace stepwell::cli
