#include "stepwell/model/model_config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace stepwell {
namespace {

using google::protobuf::TextFormat;

// Turns the text parser's errors into issues.
class IssueCollector final : public google::protobuf::io::ErrorCollector {
 public:
  IssueCollector(absl::string_view file, Issues& issues) : file_(file), issues_(issues) {}

  // Lines and columns count from 0 here and from 1 in messages; line -1 is the whole text.
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (line < 0) {
      issues_.Add(file_, message);
    } else {
      issues_.Add(absl::StrCat(file_, ":", line + 1, ":", column + 1), message);
    }
  }

 private:
  const absl::string_view file_;
  Issues& issues_;
};

std::vector<int> LinesOf(const TextFormat::ParseInfoTree& tree, int field_number, int count) {
  const auto* field = model::ModelConfig::descriptor()->FindFieldByNumber(field_number);
  std::vector<int> lines;
  lines.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) lines.push_back(tree.GetLocation(field, i).line + 1);
  return lines;
}

}  // namespace

std::string ConfigText::StatePlace(int i) const {
  return absl::StrCat(file, ":", state_lines[static_cast<size_t>(i)], ": state \"",
                      absl::CHexEscape(config.state(i).index()), "\"");
}

std::string ConfigText::MethodPlace(int i) const {
  return absl::StrCat(file, ":", method_lines[static_cast<size_t>(i)], ": method \"",
                      absl::CHexEscape(config.method(i).name()), "\"");
}

std::optional<ConfigText> ParseModelConfig(absl::string_view text, absl::string_view file, Issues& issues) {
  ConfigText parsed;
  parsed.file = std::string(file);
  IssueCollector collector(file, issues);
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(100);
  if (!parser.ParseFromString(std::string(text), &parsed.config)) return std::nullopt;
  // The text parser takes any bytes between quotes; what a server says of a model must be UTF-8.
  if (!model::ModelConfig().ParseFromString(parsed.config.SerializeAsString())) {
    issues.Add(file, "a quoted text is not UTF-8; expected names and descriptions in UTF-8");
    return std::nullopt;
  }
  parsed.state_lines = LinesOf(tree, model::ModelConfig::kStateFieldNumber, parsed.config.state_size());
  parsed.method_lines = LinesOf(tree, model::ModelConfig::kMethodFieldNumber, parsed.config.method_size());
  return parsed;
}

}  // namespace stepwell
