#include "stepwell/model/loader.h"

#include <map>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "stepwell/model/batch_axis.h"
#include "stepwell/model/binding.h"
#include "stepwell/model/issues.h"
#include "stepwell/model/model_config.h"
#include "stepwell/model/onnx/onnx_file.h"
#include "stepwell/model/onnx/onnx_graph.h"
#include "stepwell/model/onnx/onnx_method.h"

namespace stepwell {
namespace {

// More would make a batch's stacked copies large, and gains nothing.
constexpr int kMaxBatchSize = 4096;
// A worker waits, and does nothing else meanwhile.
constexpr absl::Duration kMaxQueueDelay = absl::Seconds(1);

// Whether `name` may name a method: a letter or "_", then letters, digits, "_", "-" and ".".
bool IsMethodName(absl::string_view name) {
  return CheckModelName(name).ok() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0]));
}

std::optional<ConfigText> ReadConfig(const Package& package, Issues& issues) {
  if (package.is_lone_file()) {
    const std::string& file = package.files().front();
    std::string content;
    const auto model = onnx::ReadOnnxFile(package, file, issues, content);
    if (!model.has_value()) return std::nullopt;
    const std::optional<std::string> text = onnx::FindStepwellText(*model);
    if (text.has_value())
      return ParseModelConfig(*text, absl::StrCat(file, " (metadata stepwell.model)"), issues);
    issues.Add(file, "has no metadata \"stepwell.model\"; expected the text of a ", Package::kTextFile,
               " there");
    return std::nullopt;
  }
  const absl::StatusOr<std::string> text = package.Read(Package::kTextFile);
  if (text.ok()) return ParseModelConfig(*text, Package::kTextFile, issues);
  issues.Add(Package::kTextFile, text.status().message());
  return std::nullopt;
}

// Makes the parts of one model. Thread-compatible.
class Loader {
 public:
  Loader(const Package& package, absl::string_view name, const LoadOptions& options)
      : package_(package), options_(options) {
    parts_.name = std::string(name);
    parts_.revision = options.revision;
    parts_.digest = options.digest;
  }

  absl::StatusOr<std::shared_ptr<const Model>> Load() {
    if (const std::optional<ConfigText> text = ReadConfig(package_, issues_)) MakeParts(*text);
    if (absl::Status status = issues_.ToStatus(parts_.name); !status.ok()) return status;
    return std::make_shared<const Model>(std::move(parts_));
  }

 private:
  void MakeParts(const ConfigText& text) {
    const model::ModelConfig& config = text.config;
    if (!config.name().empty() && config.name() != parts_.name) {
      issues_.Add(text.file, "name is \"", absl::CHexEscape(config.name()), "\"; expected \"", parts_.name,
                  "\", as the package is called");
    }
    if (config.method().empty()) issues_.Add(text.file, "the model has no method; expected at least one");
    parts_.description = config.description();
    parts_.check_finite = config.check_finite();
    if (config.has_batching()) SetBatching(text);
    if (config.has_retention()) SetRetention(text);
    StateArrays made = MakeStateArrays(text, package_, issues_);
    parts_.state_spec = std::make_shared<const StateSpec>(std::move(made.arrays));
    absl::flat_hash_set<std::string> names;
    for (int i = 0; i < config.method_size(); ++i) {
      const std::string place = text.MethodPlace(i);
      if (!IsMethodName(config.method(i).name())) {
        issues_.Add(
            place,
            "expected a name of letters, digits, \"_\", \"-\" and \".\", beginning with a letter or \"_\"");
      } else if (!names.insert(config.method(i).name()).second) {
        issues_.Add(place, "the method is declared already; expected each method once");
      } else {
        AddMethod(text, i, made.without_type);
      }
    }
  }

  void SetBatching(const ConfigText& text) {
    const model::Batching& config = text.config.batching();
    if (config.max_batch_size() < 2 || config.max_batch_size() > kMaxBatchSize) {
      issues_.Add(text.file, "batching.max_batch_size is ", config.max_batch_size(), "; expected 2 to ",
                  kMaxBatchSize);
    }
    const absl::Duration delay = absl::Microseconds(config.max_queue_delay_micros());
    if (delay < absl::ZeroDuration() || delay > kMaxQueueDelay) {
      issues_.Add(text.file, "batching.max_queue_delay_micros is ", config.max_queue_delay_micros(),
                  "; expected 0 to ", absl::ToInt64Microseconds(kMaxQueueDelay));
    }
    parts_.batching = {config.max_batch_size(), delay};
    has_batch_axis_ = true;
  }

  void SetRetention(const ConfigText& text) {
    const model::Retention& config = text.config.retention();
    RetentionPolicy policy;
    if (config.has_keep_last()) policy.keep_last = config.keep_last();
    if (config.has_keep_every()) policy.keep_every = config.keep_every();
    if (config.has_max_age_seconds()) policy.max_age = absl::Seconds(config.max_age_seconds());
    const absl::Status checked = CheckRetentionPolicy(policy);
    if (!checked.ok()) issues_.Add(text.file, checked.message());
    parts_.retention = policy;
  }

  void AddMethod(const ConfigText& text, int i, const absl::flat_hash_set<std::string>& without_type) {
    const std::optional<std::string> file = GraphFile(text, i);
    if (!file.has_value()) return;
    const Graph& graph = FindGraph(*file);
    if (graph.session == nullptr) return;
    BoundMethod bound =
        BindMethod(text, i, *parts_.state_spec, without_type, *file, graph.of_one_step, issues_);
    if (!issues_.empty()) return;
    absl::StatusOr<std::unique_ptr<const Method>> method =
        onnx::OnnxMethod::Make(graph.session, graph.of_one_step, std::move(bound), *parts_.state_spec,
                               has_batch_axis_ ? std::make_optional(parts_.batching) : std::nullopt);
    if (method.ok()) {
      parts_.methods.push_back(*std::move(method));
    } else {
      issues_.Add(text.MethodPlace(i), method.status().message());
    }
  }

  std::optional<std::string> GraphFile(const ConfigText& text, int i) {
    const model::Method& config = text.config.method(i);
    if (!package_.is_lone_file()) {
      return config.graph().empty() ? absl::StrCat(config.name(), ".onnx") : config.graph();
    }
    const std::string& file = package_.files().front();
    if (config.graph().empty()) return file;
    issues_.Add(text.MethodPlace(i), "graph is \"", absl::CHexEscape(config.graph()),
                "\"; expected none, as the graph is \"", file, "\" itself");
    return std::nullopt;
  }

  struct Graph {
    std::shared_ptr<const onnx::OnnxGraph> session;  // Null after an issue.
    GraphInfo of_one_step;                           // Without the batch axis.
  };

  // Each graph is loaded once, also when several methods use it.
  const Graph& FindGraph(const std::string& file) {
    const auto [found, is_new] = graphs_.try_emplace(file);
    Graph& graph = found->second;
    if (!is_new) return graph;
    graph.session = onnx::OnnxGraph::Load(package_, file, {options_.threads_per_session}, issues_);
    if (graph.session == nullptr) return graph;
    const size_t before = issues_.lines().size();
    graph.of_one_step =
        has_batch_axis_ ? WithoutBatchAxis(graph.session->info(), file, issues_) : graph.session->info();
    if (issues_.lines().size() > before) graph.session = nullptr;
    return graph;
  }

  const Package& package_;
  const LoadOptions& options_;
  Issues issues_;
  Model::Parts parts_;
  bool has_batch_axis_ = false;
  std::map<std::string, Graph> graphs_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const Package& package, absl::string_view name,
                                                       const LoadOptions& options) try {
  return Loader(package, name, options).Load();
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError(absl::StrCat("no memory to load model \"", name, "\""));
}

}  // namespace stepwell
