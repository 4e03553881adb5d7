#include <fstream>

#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCount[] = "state { index: \"count\" dtype: INT32 }\n";
constexpr char kStep[] = "method { name: \"step\" }\n";
// Stands before the count in some revisions, so that this has another position there.
constexpr char kScale[] = "state { index: \"scale\" dtype: FLOAT32 shape: [2] constant { value: 3 } }\n";

// Makes the counter's package have this text, and loads it.
int64_t Revise(Api& api, const std::filesystem::path& models, std::initializer_list<const char*> text) {
  std::ofstream file(models / "counter" / "model.textproto");
  for (const char* part : text) file << part;
  file.close();
  const auto revision = api.LoadModel("counter");
  EXPECT_TRUE(revision.ok()) << revision.status();
  return revision.value_or(0);
}

// Adds 1 to the counter at `state`, by that revision.
absl::StatusOr<Version> StepBy(Api& api, RevisionChoice revision, const StateRef& state, bool adapt = false) {
  const auto stepped = api.Step({.state = state,
                                 .inputs = {{"x", Array::Scalar<int32_t>(1)}},
                                 .revision = revision,
                                 .adapt_state = adapt});
  if (!stepped.ok()) return stepped.status();
  return stepped->version;
}

int64_t RevisionOf(Api& api, const StateRef& state) { return api.GetSnapshot(state)->origin->revision; }

std::vector<std::string> IndicesOf(Api& api, const StateRef& state) {
  const auto read = api.GetArrays({.state = state});
  std::vector<std::string> indices;
  for (const auto& [index, array] : read.value().arrays) indices.push_back(index);
  return indices;
}

TEST_P(Conformance, StepGoesOnWithTheRevisionThatMadeTheState) {
  const Version root = Make("live");
  ASSERT_EQ(Revise(api(), models(), {"description: \"another\" ", kCount, kStep}), 2);
  EXPECT_EQ(RevisionOf(api(), Add(BranchName{"live"}, 1).value()), 1);
  EXPECT_EQ(RevisionOf(api(), StepBy(api(), NewestRevision(), BranchName{"live"}).value()), 2);
  EXPECT_EQ(RevisionOf(api(), Add(BranchName{"live"}, 1).value()), 2) << "the branch has moved";
  EXPECT_EQ(RevisionOf(api(), StepBy(api(), 1, BranchName{"live"}).value()), 1) << "and may move back";
  EXPECT_EQ(Count(BranchName{"live"}).value(), 4);
  EXPECT_EQ(RevisionOf(api(), root), 1);
  ExpectError(StepBy(api(), 9, root).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND");
}

TEST_P(Conformance, HistoryAcrossRevisionsIsMovedWithThem) {
  MakeLine("live", 1);
  ASSERT_EQ(Revise(api(), models(), {kScale, kCount, kStep}), 2);
  ASSERT_TRUE(StepBy(api(), NewestRevision(), BranchName{"live"}, /*adapt=*/true).ok());
  ASSERT_TRUE(Add(BranchName{"live"}, 1).ok());
  const auto exported = api().ExportSnapshots({.state = BranchName{"live"}, .history = true});
  ASSERT_TRUE(exported.ok()) << exported.status();
  ASSERT_EQ(exported->history.revisions.size(), 2u);

  ImportSnapshotsRequest request{.history = exported->history, .branch = "copy"};
  const auto copy = api().ImportSnapshots(request, exported->snapshots);
  ASSERT_TRUE(copy.ok()) << copy.status();
  const auto expect = [&](const std::string& branch, std::vector<int64_t> revisions) {
    std::vector<Version> versions = VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{branch})}));
    ASSERT_EQ(versions.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      const Version version = versions[3 - i];
      EXPECT_EQ(RevisionOf(api(), version), revisions[i]) << branch << i;
      EXPECT_EQ(Count(version).value(), static_cast<int32_t>(i)) << branch << i;
      std::vector<std::string> indices = {"count"};
      if (revisions[i] == 2) indices = {"scale", "count"};
      EXPECT_EQ(IndicesOf(api(), version), indices) << branch << i;
    }
  };
  expect("copy", {1, 1, 2, 2});
  EXPECT_EQ(Count(Add(BranchName{"copy"}, 1).value()).value(), 4);

  ASSERT_TRUE(api().UnloadRevision("counter", 1).ok());
  request.branch = "other";
  ExpectError(api().ImportSnapshots(request, exported->snapshots).status(),
              absl::StatusCode::kFailedPrecondition, "MODEL_DIFFERS");
  request.revision = NewestRevision();
  request.adapt_state = true;
  ASSERT_TRUE(api().ImportSnapshots(request, exported->snapshots).ok());
  expect("other", {2, 2, 2, 2});
}

TEST_P(Conformance, EveryDifferenceOfTheStateSpecsIsListed) {
  Revise(api(), models(), {kCount, kScale, "state { index: \"gone\" dtype: BOOL }\n", kStep});
  const Version root = Make();
  Revise(api(), models(),
         {kCount, "state { index: \"scale\" dtype: FLOAT64 }\n", "state { index: \"new\" dtype: INT8 }\n",
          kStep});
  const absl::Status refused = StepBy(api(), NewestRevision(), root).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH");
  EXPECT_EQ(api().Metadata(refused, "index"), "scale");
  for (const char* difference :
       {"index \"scale\" is float32 (2); expected float64 ()", "index \"new\" is missing; expected int8 ()",
        "index \"gone\" is bool (); expected no such index"}) {
    EXPECT_THAT(std::string(refused.message()), HasSubstr(difference));
  }
  EXPECT_THAT(std::string(StepBy(api(), NewestRevision(), root, /*adapt=*/true).status().message()),
              AllOf(HasSubstr("\"scale\""), Not(HasSubstr("\"new\"")), Not(HasSubstr("\"gone\""))));
}

TEST_P(Conformance, MissingIndicesAreFilledOnlyWhenAsked) {
  const Version root = Make("live");
  const Version one = Add(BranchName{"live"}, 1).value();
  ASSERT_EQ(
      Revise(api(), models(), {kScale, kCount, "state { index: \"mask\" dtype: BOOL shape: [3] }\n", kStep}),
      2);
  const absl::Status refused = StepBy(api(), NewestRevision(), BranchName{"live"}).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("\"scale\" is missing; expected float32 (2)"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("\"mask\" is missing; expected bool (3)"));
  EXPECT_EQ(api().GetBranch("live")->head, one) << "nothing has happened";

  const auto moved = StepBy(api(), NewestRevision(), BranchName{"live"}, /*adapt=*/true);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_THAT(IndicesOf(api(), *moved), ElementsAre("scale", "count", "mask"));
  EXPECT_EQ(Count(*moved).value(), 2);
  const auto scale = api().GetArrays({.state = *moved, .selectors = {{IndexPath{"scale"}, {}}}});
  EXPECT_THAT(scale->arrays[0].second.As<float>().value(), ElementsAre(3, 3));
  EXPECT_EQ(Count(Add(*moved, 5).value()).value(), 7);
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{"live"})})),
              ElementsAre(*moved, one, root))
      << "the history stays";
  EXPECT_EQ(Count(one).value(), 1);
  EXPECT_THAT(IndicesOf(api(), one), ElementsAre("count")) << "an old version is what it was";
  EXPECT_TRUE(api().DeleteSnapshots({.versions = {root, one}}).ok());
  EXPECT_EQ(Count(*moved).value(), 2);

  const absl::Status back = StepBy(api(), 1, *moved).status();
  ExpectError(back, absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(std::string(back.message()),
              HasSubstr("index \"scale\" is float32 (2); expected no such index"));
  EXPECT_THAT(IndicesOf(api(), StepBy(api(), 1, *moved, /*adapt=*/true).value()), ElementsAre("count"));
}

TEST_P(Conformance, IndexWithoutAnInitialValueCannotBeFilled) {
  const Version root = Make();
  Revise(api(), models(), {kCount, "state { index: \"key\" dtype: UINT32 shape: [2] rng_key {} }\n", kStep});
  const absl::Status refused = StepBy(api(), NewestRevision(), root, /*adapt=*/true).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("\"key\""));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("no initial value"));
}

TEST_P(Conformance, StateMovesAsItIs) {
  const Version one = Add(Make("live"), 5).value();
  Revise(api(), models(), {kCount, kScale, kStep});
  SetArraysRequest move{.state = one, .revision = NewestRevision(), .adapt_state = true};
  const auto moved = api().SetArrays(move);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->origin->revision, 2);
  EXPECT_EQ(moved->parent, one);
  EXPECT_EQ(moved->step_count, 1);
  EXPECT_EQ(Count(moved->version).value(), 5);
  move.state = moved->version;
  EXPECT_EQ(api().SetArrays(move)->version, moved->version) << "it is there already";
  ExpectError(api().SetArrays({.state = one}).status(), absl::StatusCode::kInvalidArgument);
  const auto scan = api().Scan({.state = one,
                                .inputs = {{"x", Array::From<int32_t>({3}, {1, 2, 3}).value()}},
                                .keep_every = 1,
                                .revision = NewestRevision(),
                                .adapt_state = true});
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(RevisionOf(api(), scan->versions.front()), 2);
  EXPECT_EQ(Count(scan->versions.back()).value(), 11);
}

TEST_P(Conformance, RepeatIsComputedByTheRevisionThatSteppedFirst) {
  const Version root = Make();
  const StepRequest request{.state = root,
                            .inputs = {{"x", Array::Scalar<int32_t>(1)}},
                            .revision = NewestRevision(),
                            .adapt_state = true,
                            .request_id = "once"};
  const auto first = api().Step(request);
  ASSERT_TRUE(first.ok()) << first.status();
  Revise(api(), models(), {kScale, kCount, kStep});
  const auto again = api().Step(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->version, first->version);
  EXPECT_EQ(RevisionOf(api(), again->version), 1);
  EXPECT_EQ(again->outputs[0].second, first->outputs[0].second);
}

TEST_P(Conformance, StateOfARevisionThatIsUnloadedIsReadAndMayMoveOn) {
  const Version root = Make();
  Revise(api(), models(), {kScale, kCount, kStep});
  ExpectError(api().UnloadRevision("counter", 7), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND");
  ASSERT_TRUE(api().UnloadRevision("counter", 1).ok());
  EXPECT_EQ(Count(root).value(), 0);
  const absl::Status refused = Add(root, 1).status();
  ExpectError(refused, absl::StatusCode::kNotFound, "MODEL_NOT_FOUND");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("has no revision 1 loaded; expected one of 2"));
  EXPECT_EQ(Count(StepBy(api(), NewestRevision(), root, /*adapt=*/true).value()).value(), 1);
}

}  // namespace
}  // namespace stepwell::testing
