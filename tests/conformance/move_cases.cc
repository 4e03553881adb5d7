// States that are exported, and imported by the same server: under other versions, and another branch.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Api::Exported Export(Api& api, const StateRef& state, bool history) {
  auto exported = api.ExportSnapshots({.state = state, .history = history});
  EXPECT_TRUE(exported.ok()) << exported.status();
  return exported.ok() ? *std::move(exported) : Api::Exported();
}

std::vector<Version> VersionsOfModel(Api& api, const std::string& model) {
  return VersionsOf(api.ListSnapshots({.of = ListSnapshotsRequest::Model{model}}));
}

int32_t CountOf(const MovedSnapshot& snapshot) {
  EXPECT_EQ(snapshot.arrays.size(), 1u);
  EXPECT_EQ(snapshot.arrays.at(0).index, "count");
  return snapshot.arrays.at(0).array.As<int32_t>().value()[0];
}

TEST_P(Conformance, ExportTellsAHistoryFromItsRoot) {
  const std::vector<Version> line = MakeLine("live", 2);
  ASSERT_TRUE(api().UpdateSnapshot({.version = line[1], .labels = Labels{{"a", "b"}}, .pinned = true}).ok());
  const Api::Exported exported = Export(api(), BranchName{"live"}, true);
  EXPECT_EQ(exported.history.model, "counter");
  ASSERT_EQ(exported.history.revisions.size(), 1u);
  EXPECT_EQ(exported.history.revisions[0].number, 1);
  EXPECT_THAT(exported.history.revisions[0].digest, HasSubstr("sha256:"));
  EXPECT_EQ(exported.history.snapshot_count, 3);
  ASSERT_EQ(exported.snapshots.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const MovedSnapshot& snapshot = exported.snapshots[i];
    const SnapshotRecord record = api().GetSnapshot(line[i]).value();
    EXPECT_EQ(snapshot.version, line[i]);
    EXPECT_EQ(snapshot.revision, 1);
    EXPECT_EQ(snapshot.method, i == 0 ? "" : "step");
    EXPECT_EQ(snapshot.create_time, absl::Time(record.create_time));
    EXPECT_EQ(snapshot.step_count, static_cast<int64_t>(i));
    EXPECT_EQ(snapshot.pinned, i == 1);
    EXPECT_EQ(CountOf(snapshot), static_cast<int32_t>(i));
    EXPECT_FALSE(snapshot.arrays[0].appends);
  }
  EXPECT_THAT(exported.snapshots[1].labels, ElementsAre(Pair("a", "b")));

  const Api::Exported head = Export(api(), line[2], false);
  EXPECT_EQ(head.history.snapshot_count, 1);
  ASSERT_EQ(head.snapshots.size(), 1u);
  EXPECT_EQ(head.snapshots[0].step_count, 2);
  EXPECT_EQ(CountOf(head.snapshots[0]), 2);
  ExpectError(api().ExportSnapshots({.state = BranchName{"none"}}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
}

TEST_P(Conformance, ImportedHistoryIsAsItWasUnderOtherVersions) {
  const std::vector<Version> line = MakeLine("live", 3);
  ASSERT_TRUE(api().UpdateSnapshot({.version = line[1], .labels = Labels{{"a", "b"}}, .pinned = true}).ok());
  const Api::Exported exported = Export(api(), BranchName{"live"}, true);
  const auto made =
      api().ImportSnapshots({.history = exported.history, .branch = "copy"}, exported.snapshots);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->branch->name, "copy");
  EXPECT_EQ(made->branch->model, "counter");
  EXPECT_EQ(made->branch->head, made->snapshot.version);
  EXPECT_EQ(api().GetBranch("copy")->head, made->snapshot.version);

  std::vector<SnapshotRecord> copies = api().ListSnapshots({.of = StateRef(BranchName{"copy"})}).value();
  std::ranges::reverse(copies);
  ASSERT_EQ(copies.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const SnapshotRecord before = api().GetSnapshot(line[i]).value();
    EXPECT_GT(copies[i].version, line[3]);
    EXPECT_EQ(copies[i].parent.has_value(), i > 0);
    if (i > 0) {
      EXPECT_EQ(copies[i].parent, copies[i - 1].version);
    }
    EXPECT_EQ(*copies[i].origin, *before.origin);
    EXPECT_EQ(absl::Time(copies[i].create_time), absl::Time(before.create_time));
    EXPECT_EQ(copies[i].step_count, before.step_count);
    EXPECT_EQ(copies[i].pinned, before.pinned);
    EXPECT_EQ(copies[i].state_bytes, before.state_bytes);
    EXPECT_EQ(copies[i].new_bytes, before.new_bytes);
    Labels labels = *before.labels;
    labels["stepwell.imported_from"] = absl::StrCat(line[i].value());
    EXPECT_EQ(*copies[i].labels, labels);
    EXPECT_EQ(Count(copies[i].version).value(), static_cast<int32_t>(i));
  }
  EXPECT_EQ(Count(Add(BranchName{"copy"}, 10).value()).value(), 13);
  EXPECT_EQ(Count(BranchName{"live"}).value(), 3);
}

TEST_P(Conformance, ImportedHeadIsARootThatKeepsItsSteps) {
  MakeLine("live", 3);
  const Api::Exported exported = Export(api(), BranchName{"live"}, false);
  const auto made =
      api().ImportSnapshots({.history = exported.history, .branch = "copy"}, exported.snapshots);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->snapshot.parent, std::nullopt);
  EXPECT_EQ(made->snapshot.step_count, 3);
  EXPECT_EQ(made->snapshot.origin->method, "step");
  const Version next = Add(BranchName{"copy"}, 1).value();
  EXPECT_EQ(api().GetSnapshot(next)->step_count, 4);
  EXPECT_EQ(Count(next).value(), 4);
}

TEST_P(Conformance, GrowingStateIsMovedByItsRows) {
  const auto root = api().MakeState({.model = "attention_decoder", .branch = "text"});
  ASSERT_TRUE(root.ok()) << root.status();
  std::vector<Version> line = {root->snapshot.version};
  const auto step = [&](const StateRef& state, float x) {
    const std::vector<float> token(64, x);
    auto stepped = api().Step({.state = state, .inputs = {{"x", Array::From<float>({64}, token).value()}}});
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    return stepped.ok() ? *std::move(stepped) : Api::Stepped();
  };
  for (int i = 0; i < 6; ++i) line.push_back(step(BranchName{"text"}, static_cast<float>(i) / 8).version);
  // What stands between two that are left goes to the later one.
  ASSERT_TRUE(api().DeleteSnapshots({.versions = {line[2], line[3]}}).ok());
  const Api::Exported exported = Export(api(), BranchName{"text"}, true);
  ASSERT_EQ(exported.snapshots.size(), 5u);
  for (size_t i = 1; i < 5; ++i) {
    ASSERT_EQ(exported.snapshots[i].arrays.size(), 2u);
    for (const MovedArray& moved : exported.snapshots[i].arrays) {
      EXPECT_TRUE(moved.appends);
      EXPECT_EQ(moved.array.shape().dims()[0], i == 2 ? 3 : 1) << i;
    }
  }
  const auto made =
      api().ImportSnapshots({.history = exported.history, .branch = "copy"}, exported.snapshots);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->snapshot.new_bytes, api().GetSnapshot(line[6])->new_bytes) << "its rows alone are stored";
  const std::vector<Version> copies = VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{"copy"})}));
  const std::vector<Version> left = VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{"text"})}));
  ASSERT_EQ(copies.size(), left.size());
  for (size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(api().GetArrays({.state = copies[i]})->arrays, api().GetArrays({.state = left[i]})->arrays)
        << i;
  }
  EXPECT_EQ(step(BranchName{"copy"}, 1).outputs, step(BranchName{"text"}, 1).outputs);
}

TEST_P(Conformance, ImportNeedsTheSamePackageUnlessARevisionIsNamed) {
  MakeLine("live", 1);
  Api::Exported exported = Export(api(), BranchName{"live"}, true);
  exported.history.revisions[0] = {7, "sha256:of another package"};
  for (MovedSnapshot& snapshot : exported.snapshots) snapshot.revision = 7;
  ImportSnapshotsRequest request{.history = exported.history, .branch = "copy"};
  const absl::Status refused = api().ImportSnapshots(request, exported.snapshots).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "MODEL_DIFFERS");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("sha256:of another package"));
  request.revision = NewestRevision();
  const auto made = api().ImportSnapshots(request, exported.snapshots);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->snapshot.origin->revision, 1);
  EXPECT_EQ(Count(BranchName{"copy"}).value(), 1);
  request.branch = "other";
  request.history.model = "nobodys";
  ExpectError(api().ImportSnapshots(request, exported.snapshots).status(), absl::StatusCode::kNotFound,
              "MODEL_NOT_FOUND");
}

TEST_P(Conformance, ImportedStateIsMadeToFitWhenThatIsAskedFor) {
  MakeLine("live", 1);
  Api::Exported exported = Export(api(), BranchName{"live"}, true);
  for (MovedSnapshot& snapshot : exported.snapshots) snapshot.arrays[0].index = "total";
  ImportSnapshotsRequest request{.history = exported.history, .branch = "copy", .revision = NewestRevision()};
  const absl::Status refused = api().ImportSnapshots(request, exported.snapshots).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("index \"count\" is missing"));
  request.adapt_state = true;
  const auto made = api().ImportSnapshots(request, exported.snapshots);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Count(BranchName{"copy"}).value(), 0) << "its initial value";
}

TEST_P(Conformance, ImportThatFailsLeavesNothing) {
  MakeLine("live", 4);
  const Api::Exported exported = Export(api(), BranchName{"live"}, true);
  const std::vector<Version> all = VersionsOfModel(api(), "counter");
  const auto expect = [&](auto change, absl::StatusCode code, const std::string& reason,
                          const std::string& what) {
    Api::Exported changed = exported;
    change(changed);
    const absl::Status failed =
        api().ImportSnapshots({.history = changed.history, .branch = "copy"}, changed.snapshots).status();
    ExpectError(failed, code, reason);
    EXPECT_THAT(std::string(failed.message()), HasSubstr(what));
    EXPECT_EQ(VersionsOfModel(api(), "counter"), all) << what;
    EXPECT_EQ(api().Reason(api().GetBranch("copy").status()), "BRANCH_NOT_FOUND");
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  expect([](auto& e) { e.snapshots[3].arrays[0].array = Array::Scalar<float>(1); }, kInvalid, "",
         "snapshot 3 of the import");
  expect([](auto& e) { e.snapshots[3].arrays[0].index = "total"; }, absl::StatusCode::kNotFound,
         "INDEX_NOT_FOUND", "total");
  expect([](auto& e) { e.snapshots[2].arrays.push_back(e.snapshots[2].arrays[0]); }, kInvalid, "",
         "is given twice; expected once; nothing of the import is left");
  expect([](auto& e) { e.snapshots[2].arrays[0].appends = true; }, kInvalid, "", "count");
  expect([](auto& e) { e.snapshots[0].arrays[0].appends = true; }, kInvalid, "", "appends rows to nothing");
  expect([](auto& e) { e.snapshots[0].arrays.clear(); }, absl::StatusCode::kFailedPrecondition,
         "STATE_SPEC_MISMATCH", "index \"count\" is missing");
  expect([](auto& e) { e.snapshots[2].revision = 9; }, kInvalid, "", "revision 9");
  expect([](auto& e) { e.snapshots.pop_back(); }, kInvalid, "", "ended after 4 snapshots; expected 5");
  expect([](auto& e) { e.snapshots.push_back(e.snapshots[4]); }, kInvalid, "", "one too many");
  expect([](auto& e) { e.history.snapshot_count = 0; }, kInvalid, "", "expected at least one");
}

TEST_P(Conformance, ImportToABranchThatIsThereIsRefused) {
  MakeLine("live", 1);
  const Api::Exported exported = Export(api(), BranchName{"live"}, true);
  const std::vector<Version> all = VersionsOfModel(api(), "counter");
  ImportSnapshotsRequest request{.history = exported.history, .branch = "live"};
  ExpectError(api().ImportSnapshots(request, exported.snapshots).status(), absl::StatusCode::kAlreadyExists,
              "BRANCH_EXISTS");
  request.branch = "no name";
  ExpectError(api().ImportSnapshots(request, exported.snapshots).status(),
              absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(VersionsOfModel(api(), "counter"), all);
}

TEST_P(Conformance, RepeatedImportIsAnsweredAsTheFirst) {
  MakeLine("live", 3);
  Api::Exported exported = Export(api(), BranchName{"live"}, true);
  const ImportSnapshotsRequest request{
      .history = exported.history, .branch = "copy", .request_id = "moved once"};
  const auto first = api().ImportSnapshots(request, exported.snapshots);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::vector<Version> all = VersionsOfModel(api(), "counter");
  const auto again = api().ImportSnapshots(request, exported.snapshots);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->snapshot.version, first->snapshot.version);
  EXPECT_EQ(again->branch->head, first->branch->head);
  EXPECT_EQ(VersionsOfModel(api(), "counter"), all);
  exported.snapshots[1].arrays[0].array = Array::Scalar<int32_t>(99);
  ExpectError(api().ImportSnapshots(request, exported.snapshots).status(), absl::StatusCode::kInvalidArgument,
              "REQUEST_ID_REUSED");
  EXPECT_EQ(VersionsOfModel(api(), "counter"), all);
}

}  // namespace
}  // namespace stepwell::testing
