#include "tests/crash/branch_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace stepwell::testing {
namespace {

std::string HeadText(const std::optional<int64_t>& head) {
  return head.has_value() ? absl::StrCat("version ", *head) : "no branch";
}

}  // namespace

absl::StatusOr<DoneWrites> FollowBranch(const std::string& branch, std::optional<int64_t> before,
                                        std::optional<int64_t> found,
                                        const std::vector<BranchWrite>& writes) {
  const auto is_lost = [](const BranchWrite& write) { return write.made == false; };
  const auto first_lost = std::find_if(writes.begin(), writes.end(), is_lost);
  const size_t most = static_cast<size_t>(first_lost - writes.begin());
  std::vector<std::optional<int64_t>> heads = {before};
  size_t least = 0;
  for (size_t i = 0; i < writes.size(); ++i) {
    const BranchWrite& write = writes[i];
    if (write.made == true) {
      if (i > most) {
        return absl::DataLossError(absl::StrCat("branch ", branch, ": its change ", i + 1, " made ",
                                                HeadText(write.head), ", but change ", most + 1,
                                                " is not there: a hole"));
      }
      if (write.follows_head && write.parent != heads.back()) {
        return absl::DataLossError(absl::StrCat("branch ", branch, ": its change ", i + 1, " made ",
                                                HeadText(write.head), " from ", HeadText(write.parent),
                                                "; expected it from the head, ", HeadText(heads.back())));
      }
      least = i + 1;
    }
    heads.push_back(write.head);
  }
  std::optional<DoneWrites> done;
  for (size_t count = least; count <= most; ++count) {
    if (heads[count] != found) continue;
    if (!done.has_value()) done = DoneWrites{count, count};
    done->at_most = count;
  }
  if (done.has_value()) return *done;
  std::string expected;
  for (size_t count = least; count <= most; ++count) absl::StrAppend(&expected, " ", HeadText(heads[count]));
  return absl::DataLossError(
      absl::StrCat("branch ", branch, " points at ", HeadText(found), "; expected one of:", expected));
}

}  // namespace stepwell::testing
