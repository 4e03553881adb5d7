#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::HasSubstr;

Labels MakeLabels(int count) {
  Labels labels;
  for (int i = 0; i < count; ++i) labels[absl::StrCat("key ", i)] = "value";
  return labels;
}

const NamedArrays& OneInput() {
  static const auto* const kInputs = new NamedArrays{{"x", Array::Scalar<int32_t>(1)}};
  return *kInputs;
}

TEST_P(Conformance, LargestLabelsAreKept) {
  Labels labels = MakeLabels(62);
  labels[std::string(128, 'k')] = std::string(1024, 'v');
  labels["empty"] = "";
  const auto made = api().MakeState({.model = "counter", .branch = "labelled", .labels = labels});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(*api().GetSnapshot(made->snapshot.version)->labels, labels);
  ASSERT_TRUE(api().UpdateBranch({.name = "labelled", .labels = labels}).ok());
  EXPECT_EQ(api().GetBranch("labelled")->labels, labels);
}

TEST_P(Conformance, LabelsThatAreTooLargeAreRefusedByEveryCall) {
  const struct {
    Labels labels;
    std::string what;
  } cases[] = {
      {MakeLabels(65), "there are 65 labels; expected at most 64"},
      {{{"", "v"}}, "label \"\": the key has 0 bytes; expected 1 to 128"},
      {{{std::string(129, 'k'), "v"}}, "kkk\": the key has 129 bytes; expected 1 to 128"},
      {{{"a", ""}, {"long", std::string(1025, 'v')}},
       "label \"long\": the value has 1025 bytes; expected at most 1024"},
  };
  const Version root = Make("plain");
  const BranchName branch{"plain"};
  for (const auto& [labels, what] : cases) {
    std::vector<StepRequest> steps(2, {.state = root, .inputs = OneInput()});
    steps[1].labels = labels;
    BatchStepRequest batch{.steps = steps};
    const auto stepped = api().BatchStep(batch);
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    EXPECT_TRUE((*stepped)[0].ok()) << (*stepped)[0].status();
    batch.all_or_nothing = true;
    const std::vector<absl::Status> refused = {
        api().MakeState({.model = "counter", .labels = labels}).status(),
        api().Step({.state = branch, .inputs = OneInput(), .labels = labels}).status(),
        api().Step({.state = root, .inputs = OneInput(), .labels = labels}).status(),
        (*stepped)[1].status(),
        api().BatchStep(batch).value()[1].status(),
        api().StepInOrder(root, steps)[1].status(),
        api()
            .Scan({.state = branch,
                   .inputs = {{"x", Array::Zeros(DType::kInt32, Shape::Of({2}))}},
                   .labels = labels})
            .status(),
        api().SetArrays({.state = branch, .labels = labels}).status(),
        api().WriteArrays({.state = branch, .labels = labels}).status(),
        api().UpdateSnapshot({.version = root, .labels = labels}).status(),
        api().CreateBranch({.name = "new", .state = root, .labels = labels}).status(),
        api().UpdateBranch({.name = "plain", .labels = labels}).status(),
    };
    for (size_t i = 0; i < refused.size(); ++i) {
      SCOPED_TRACE(absl::StrCat("call ", i));
      ExpectError(refused[i], absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(refused[i].message()), HasSubstr(what));
    }
  }
  EXPECT_EQ(api().GetBranch("plain")->head, root);
  EXPECT_TRUE(api().GetBranch("plain")->labels.empty());
  ExpectError(api().GetBranch("new").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
}

}  // namespace
}  // namespace stepwell::testing
