#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/progress.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/table.h"

namespace stepwell::cli {
namespace {

Json SpecToJson(const v1::TensorSpec& spec) {
  Json shape = Json::array();
  for (const v1::Dimension& dimension : spec.shape()) {
    shape.push_back(dimension.extent() >= 0 ? Json(dimension.extent()) : Json(dimension.name()));
  }
  const bool known = v1::DType_IsValid(spec.dtype()) && spec.dtype() != v1::DTYPE_UNSPECIFIED;
  return {{"name", spec.name()},
          {"dtype", known ? std::string(DTypeName(static_cast<DType>(spec.dtype()))) : ""},
          {"shape", shape}};
}

Json SpecsToJson(const google::protobuf::RepeatedPtrField<v1::TensorSpec>& specs) {
  Json json = Json::array();
  for (const v1::TensorSpec& spec : specs) json.push_back(SpecToJson(spec));
  return json;
}

Json ModelToJson(const v1::ModelInfo& model) {
  Json methods = Json::array();
  for (const v1::MethodInfo& method : model.methods()) {
    methods.push_back(
        {{"name", method.name()},
         {"inputs", SpecsToJson(method.inputs())},
         {"outputs", SpecsToJson(method.outputs())},
         {"reads", std::vector<std::string>(method.reads().begin(), method.reads().end())},
         {"writes", std::vector<std::string>(method.writes().begin(), method.writes().end())},
         {"appends", std::vector<std::string>(method.appends().begin(), method.appends().end())}});
  }
  Json state = Json::array();
  for (const v1::StateArrayInfo& info : model.state_spec()) {
    Json array = SpecToJson(info.tensor());
    array["initial"] = v1::StateArrayInfo::Initial_Name(info.initial());
    state.push_back(std::move(array));
  }
  Json batching = nullptr;
  if (model.has_batching()) {
    batching = {{"max_batch_size", model.batching().max_batch_size()},
                {"max_queue_delay_micros", model.batching().max_queue_delay_micros()}};
  }
  return {{"name", model.name()},
          {"revision", model.revision()},
          {"digest", model.digest()},
          {"description", model.description()},
          {"check_finite", model.check_finite()},
          {"loaded_revisions",
           std::vector<int64_t>(model.loaded_revisions().begin(), model.loaded_revisions().end())},
          {"batching", batching},
          {"retention", model.has_retention() ? RetentionToJson(model.retention()) : Json()},
          {"state", v1::ModelInfo::State_Name(model.state())},
          {"error", model.error()},
          {"methods", methods},
          {"state_spec", state}};
}

std::string Specs(const google::protobuf::RepeatedPtrField<v1::TensorSpec>& specs) {
  if (specs.empty()) return "nothing";
  return absl::StrJoin(specs, ", ", [](std::string* out, const v1::TensorSpec& spec) {
    absl::StrAppend(out, spec.name(), " ", SpecToText(spec));
  });
}

std::string Indices(const google::protobuf::RepeatedPtrField<std::string>& indices, int all) {
  if (indices.empty()) return "none";
  if (indices.size() == all && all > 1) return absl::StrCat("all ", all, " indices");
  return absl::StrJoin(indices, ", ");
}

const char* Initial(v1::StateArrayInfo::Initial initial) {
  switch (initial) {
    case v1::StateArrayInfo::VALUE:
      return "has an initial value";
    case v1::StateArrayInfo::GIVEN:
      return "must be given: make --set";
    case v1::StateArrayInfo::RNG_KEY:
      return "a random key: make --seed";
    default:
      return "";
  }
}

void WriteModel(const v1::ModelInfo& model, std::ostream& out) {
  Table head;
  head.Add({"model", model.name()});
  if (!model.description().empty()) head.Add({"about", model.description()});
  head.Add({"state", v1::ModelInfo::State_Name(model.state())});
  head.Add({"revision", model.revision() > 0 ? absl::StrCat(model.revision()) : "none"});
  if (model.loaded_revisions_size() > 1) head.Add({"loaded", absl::StrJoin(model.loaded_revisions(), ", ")});
  if (!model.digest().empty()) head.Add({"digest", model.digest()});
  if (model.has_batching()) {
    head.Add({"batching", absl::StrCat("up to ", model.batching().max_batch_size(), " steps run together")});
  }
  if (model.has_retention()) head.Add({"keeps", RetentionToText(model.retention())});
  if (model.check_finite()) head.Add({"checks", "that no step writes a NaN or an infinity"});
  head.Write(out);
  if (!model.error().empty()) {
    out << "error\n  " << absl::StrReplaceAll(model.error(), {{"\n", "\n  "}}) << "\n";
  }
  for (const v1::MethodInfo& method : model.methods()) {
    out << "\nmethod " << method.name() << (method.writes().empty() ? ", pure" : "") << "\n";
    Table table;
    table.Add({"takes", Specs(method.inputs())});
    table.Add({"returns", Specs(method.outputs())});
    table.Add({"reads", Indices(method.reads(), model.state_spec_size())});
    table.Add({"writes", Indices(method.writes(), model.state_spec_size())});
    if (!method.appends().empty()) table.Add({"appends", Indices(method.appends(), model.state_spec_size())});
    table.Write(out, "  ");
  }
  if (model.state_spec().empty()) return;
  out << "\n";
  Table table({"POSITION", "INDEX", "ARRAY", "AT FIRST"});
  for (int i = 0; i < model.state_spec_size(); ++i) {
    const v1::StateArrayInfo& info = model.state_spec(i);
    table.Add({absl::StrCat(i), info.tensor().name(), SpecToText(info.tensor()), Initial(info.initial())});
  }
  table.Write(out);
}

absl::Status ShowModel(Session& session, const absl::StatusOr<v1::ModelInfo>& model) {
  return Show(session, model, ModelToJson, WriteModel);
}

// Of a list, which has a line for each model.
std::string FirstLine(const std::string& text) {
  constexpr size_t kLongest = 80;
  const std::string line = text.substr(0, text.find('\n'));
  return line.size() <= kLongest && line.size() == text.size() ? line : line.substr(0, kLongest) + " ...";
}

absl::Status ListModels(Session& session) {
  const absl::StatusOr<std::vector<v1::ModelInfo>> models = session.client().ListModels();
  if (!models.ok()) return models.status();
  if (session.json()) {
    Json list = Json::array();
    for (const v1::ModelInfo& model : *models) list.push_back(ModelToJson(model));
    session.Write({{"models", list}});
    return absl::OkStatus();
  }
  Table table({"MODEL", "STATE", "REVISION", "METHODS", "STATE ARRAYS", "ABOUT"});
  for (const v1::ModelInfo& model : *models) {
    const auto append_name = [](std::string* out, const v1::MethodInfo& method) {
      absl::StrAppend(out, method.name());
    };
    table.Add({model.name(), v1::ModelInfo::State_Name(model.state()),
               model.revision() > 0 ? absl::StrCat(model.revision()) : "-",
               model.methods().empty() ? "-" : absl::StrJoin(model.methods(), ",", append_name),
               absl::StrCat(model.state_spec_size()),
               FirstLine(model.error().empty() ? model.description() : model.error())});
  }
  table.Write(session.out());
  return absl::OkStatus();
}

struct UploadArguments {
  std::string package;
  std::string name;
  bool replace = false;
};

absl::Status Upload(Session& session, const UploadArguments& arguments) {
  if (std::error_code error; !std::filesystem::exists(arguments.package, error)) {
    return BadInput(
        absl::StrCat("\"", arguments.package, "\" is not there; expected a folder, or a .onnx file"));
  }
  absl::StatusOr<v1::ModelInfo> model;
  {
    ProgressBar bar(isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr);
    client::CallOptions options;
    options.on_progress = [&bar](int64_t sent, int64_t total) { bar.Update(sent, total); };
    model = session.client().UploadModel(
        {.package = arguments.package, .name = arguments.name, .replace = arguments.replace}, options);
  }
  return ShowModel(session, model);
}

void AddUploadCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<UploadArguments>();
  CLI::App* upload =
      app.add_subcommand("upload", "Puts a package into the server's repository, and loads it");
  AddPositional(*upload, "PACKAGE", arguments->package, "A folder with a model.textproto, or a .onnx file")
      ->required();
  upload
      ->add_option("--name", arguments->name,
                   "Of the model. Default: the folder's, or the file's without .onnx")
      ->type_name("NAME");
  upload->add_flag("--replace", arguments->replace,
                   "Also where the name has a package: as its next revision");
  upload->footer(
      "The server checks the package before anyone sees it: one that is wrong changes nothing. Content that "
      "is\n"
      "there already is shown. It must have been started with --allow-upload.\n"
      "\n"
      "Examples:\n"
      "  stepwell upload models/gauge\n"
      "  stepwell upload build/gauge.onnx --name gauge-test\n"
      "  stepwell upload models/gauge --replace --timeout 10m");
  Choose(*upload, chosen, [arguments](Session& session) { return Upload(session, *arguments); });
}

}  // namespace

void AddModelCommands(CLI::App& app, Command& chosen) {
  const auto name = std::make_shared<std::string>();

  CLI::App* models = app.add_subcommand("models", "Lists the server's models, or shows one whole");
  AddPositional(*models, "MODEL", *name,
                "Show this one: methods, state spec, digest, and all that is wrong with it");
  models->footer(
      "Examples:\n"
      "  stepwell models\n"
      "  stepwell models counter\n"
      "  stepwell models --json | jq -r '.models[].name'");
  Choose(*models, chosen, [name](Session& session) {
    return name->empty() ? ListModels(session) : ShowModel(session, session.client().GetModel(*name));
  });

  CLI::App* load =
      app.add_subcommand("load", "Loads a model from the server's repository, or its newest content");
  AddPositional(*load, "MODEL", *name, "The name of its folder")->required();
  load->footer(
      "A package whose content changed becomes the next revision; else the one that is there is shown.\n"
      "\n"
      "Example:\n"
      "  stepwell load counter");
  Choose(*load, chosen,
         [name](Session& session) { return ShowModel(session, session.client().LoadModel(*name)); });

  AddUploadCommand(app, chosen);

  CLI::App* unload = app.add_subcommand("unload", "Makes the server forget a model; its snapshots stay");
  AddPositional(*unload, "MODEL", *name, "Its name")->required();
  const auto revision = std::make_shared<std::optional<int64_t>>();
  unload->add_option("--revision", *revision, "Only this one. Default: all of them")->type_name("N");
  unload->footer("Examples:\n  stepwell unload counter\n  stepwell unload counter --revision 1");
  Choose(*unload, chosen, [name, revision](Session& session) {
    const absl::Status unloaded = session.client().UnloadModel({*name, *revision});
    if (!unloaded.ok()) return unloaded;
    if (session.json()) {
      session.Write({{"unloaded", *name}});
    } else {
      session.out() << "unloaded " << *name << "\n";
    }
    return absl::OkStatus();
  });
}

}  // namespace stepwell::cli
