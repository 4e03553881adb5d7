#include "client/cli/npy_header.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/error.h"

namespace stepwell::cli {
namespace {

// Reads the few Python literals that a header may hold. A failure sticks: what is read after it is
// meaningless. Thread-compatible.
class LiteralReader {
 public:
  explicit LiteralReader(absl::string_view text) : text_(text) {}

  bool failed() const { return !expected_.empty(); }

  // Skips white space, then takes `token` if it comes next.
  bool Take(absl::string_view token) {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (!absl::StartsWith(text_.substr(at_), token)) return false;
    at_ += token.size();
    return true;
  }

  void Expect(absl::string_view token) {
    if (!Take(token)) Fail(token);
  }

  std::string String() {
    const char quote = Take("'") ? '\'' : '"';
    if (quote == '"' && !Take("\"")) return Fail("a string"), "";
    const size_t end = text_.find(quote, at_);
    if (end == absl::string_view::npos) return Fail("the end of a string"), "";
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }

  bool Bool() {
    if (Take("True")) return true;
    if (!Take("False")) Fail("True or False");
    return false;
  }

  std::vector<int64_t> Tuple() {
    std::vector<int64_t> values;
    Expect("(");
    while (!failed() && !Take(")")) {
      size_t end = at_;
      while (end < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[end]))) ++end;
      int64_t value;
      if (!absl::SimpleAtoi(text_.substr(at_, end - at_), &value)) return Fail("an extent"), values;
      at_ = end;
      Take("L");  // As Python 2 wrote it.
      values.push_back(value);
      if (values.size() > 1 && Take(")")) break;
      Expect(",");  // Also after a lone extent: without it there is no tuple.
    }
    return values;
  }

  void Fail(absl::string_view expected) {
    if (!failed()) expected_ = std::string(expected);
  }

  absl::Status Failure() const {
    return BadInput(absl::StrCat(".npy header \"", absl::CHexEscape(text_.substr(0, 200)), "\" at byte ", at_,
                                 "; expected ", expected_));
  }

 private:
  const absl::string_view text_;
  size_t at_ = 0;
  std::string expected_;  // What was not there; empty while nothing has failed.
};

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text) {
  LiteralReader reader(text);
  NpyHeader header;
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  reader.Expect("{");
  while (!reader.failed() && !reader.Take("}")) {
    const std::string key = reader.String();
    reader.Expect(":");
    if (key == "descr" && !has_descr) {
      has_descr = true;
      header.descr = reader.String();
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      header.fortran_order = reader.Bool();
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      header.shape = reader.Tuple();
    } else {
      reader.Fail("each of 'descr', 'fortran_order' and 'shape' once");
    }
    if (reader.Take("}")) break;
    reader.Expect(",");
  }
  if (!has_descr || !has_order || !has_shape) reader.Fail("'descr', 'fortran_order' and 'shape'");
  if (reader.failed()) return reader.Failure();
  return header;
}

}  // namespace stepwell::cli
