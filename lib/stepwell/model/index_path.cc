#include "stepwell/model/index_path.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace stepwell {
namespace {

// Reads one path from the front of what is left; each Take returns what it expected there, or nullptr.
class PathReader {
 public:
  explicit PathReader(absl::string_view path) : path_(path) {}

  bool at_end() const { return at_ == path_.size(); }
  size_t offset() const { return at_; }

  const char* TakeFirst() { return Peek() == '[' ? TakeSubscript() : TakeName(); }

  const char* TakeNext() {
    if (Peek() == '[') return TakeSubscript();
    if (Peek() != '.') return "\".\", \"[\" or the end";
    ++at_;
    return TakeName();
  }

 private:
  char Peek() const { return at_end() ? '\0' : path_[at_]; }

  const char* TakeName() {
    if (!absl::ascii_isalpha(static_cast<unsigned char>(Peek())) && Peek() != '_') return "a letter or \"_\"";
    while (absl::ascii_isalnum(static_cast<unsigned char>(Peek())) || Peek() == '_') ++at_;
    return nullptr;
  }

  const char* TakeSubscript() {
    ++at_;  // The "[".
    const char quote = Peek();
    const bool quoted = quote == '\'' || quote == '"';
    if (const char* wrong = quoted ? TakeText() : TakeNumber(); wrong != nullptr) return wrong;
    if (quoted) {
      if (Peek() != quote) return "the closing quote";
      ++at_;
    }
    if (Peek() != ']') return "\"]\"";
    ++at_;
    return nullptr;
  }

  const char* TakeNumber() {
    const size_t start = at_;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    if (at_ == start) return "a number or a quoted text";
    if (path_[start] != '0' || at_ == start + 1) return nullptr;
    at_ = start;
    return "a number without leading zeros";
  }

  const char* TakeText() {
    const size_t start = ++at_;
    const auto is_text = [](char c) {
      return absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '\'' && c != '"' && c != '\\';
    };
    while (is_text(Peek())) ++at_;
    return at_ == start ? "a printable character other than a quote or backslash" : nullptr;
  }

  const absl::string_view path_;
  size_t at_ = 0;
};

}  // namespace

absl::Status CheckIndexPath(absl::string_view path) {
  if (path.size() > kMaxIndexLength) {
    return absl::InvalidArgumentError(absl::StrCat("index \"", absl::CHexEscape(path.substr(0, 32)),
                                                   "…\" has ", path.size(), " bytes; expected at most ",
                                                   kMaxIndexLength));
  }
  PathReader reader(path);
  const char* expected = reader.TakeFirst();
  while (expected == nullptr && !reader.at_end()) expected = reader.TakeNext();
  if (expected == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("index \"", absl::CHexEscape(path),
                                                 "\" is no key path: expected ", expected, " at offset ",
                                                 reader.offset()));
}

bool IsAtOrBelow(absl::string_view index, absl::string_view path) {
  if (path.empty()) return true;
  if (!absl::StartsWith(index, path)) return false;
  return index.size() == path.size() || index[path.size()] == '.' || index[path.size()] == '[';
}

}  // namespace stepwell
