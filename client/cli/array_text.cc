#include "client/cli/array_text.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/number_text.h"

namespace stepwell::cli {
namespace {

constexpr int64_t kThreshold = 1000;  // Of elements; more are summarised.
constexpr int64_t kEdge = 3;          // Elements at each end of an axis in a summary.
constexpr size_t kLineWidth = 75;

// Lays the elements of one array out. Thread-compatible.
class Layout {
 public:
  explicit Layout(const Array& array)
      : shape_(array.shape()), summarised_(array.element_count() > kThreshold) {
    std::vector<int64_t> offsets;
    Gather(0, 0, offsets);
    words_ = ElementsToText(array, offsets);
  }

  std::string Text() {
    std::string out;
    Write(0, out);
    return out;
  }

 private:
  bool IsCut(int axis) const { return summarised_ && shape_[axis] > 2 * kEdge; }

  // Calls visit(position) for each position on `axis` that is shown, and cut() where others are left out.
  template <typename Visit, typename Cut>
  void Walk(int axis, Visit visit, Cut cut) const {
    for (int64_t i = 0; i < shape_[axis]; ++i) {
      if (IsCut(axis) && i == kEdge) {
        cut();
        i = shape_[axis] - kEdge;
      }
      visit(i);
    }
  }

  void Gather(int axis, int64_t offset, std::vector<int64_t>& offsets) const {
    if (axis == shape_.rank()) {
      offsets.push_back(offset);
      return;
    }
    Walk(
        axis, [&](int64_t i) { Gather(axis + 1, offset * shape_[axis] + i, offsets); }, [] {});
  }

  void Write(int axis, std::string& out) {
    out += '[';
    if (axis == shape_.rank() - 1) {
      WriteRow(out);
    } else {
      const std::string between = std::string(static_cast<size_t>(shape_.rank() - 1 - axis), '\n') +
                                  std::string(static_cast<size_t>(axis + 1), ' ');
      bool first = true;
      const auto separate = [&] {
        if (!first) out += between;
        first = false;
      };
      Walk(
          axis,
          [&](int64_t) {
            separate();
            Write(axis + 1, out);
          },
          [&] {
            separate();
            out += "...";
          });
    }
    out += ']';
  }

  // The elements of one row, wrapped; a line begins with a column for each bracket around it, and has room
  // for as many that close.
  void WriteRow(std::string& out) {
    const auto rank = static_cast<size_t>(shape_.rank());
    const size_t width = kLineWidth - rank;
    const std::string indent(rank, ' ');
    std::string line = indent;
    std::string row;
    bool first = true;
    const auto add = [&](const std::string& word) {
      if (!first) line += ' ';
      first = false;
      if (line.size() + word.size() > width && line.size() > rank) {
        absl::StrAppend(&row, absl::StripTrailingAsciiWhitespace(line), "\n");
        line = indent;
      }
      line += word;
    };
    Walk(
        shape_.rank() - 1, [&](int64_t) { add(words_[next_++]); }, [&] { add("..."); });
    out += (row + line).substr(rank);
  }

  const Shape& shape_;
  const bool summarised_;
  std::vector<std::string> words_;
  size_t next_ = 0;  // Of words_.
};

}  // namespace

std::string ArrayToText(const Array& array) {
  if (array.shape().rank() == 0) return ScalarToText(array);
  if (array.element_count() == 0) return "[]";
  return Layout(array).Text();
}

}  // namespace stepwell::cli
