// How two states differ, asked through the client.
#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using ArrayDiff = v1::DiffSnapshotsResponse::ArrayDiff;
using client::BranchName;
using client::IndexPath;
using client::IndexPosition;
using client::IndexSubtree;
using client::Version;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

TEST_F(ServerTest, DiffTellsWhatChangedAndHowFar) {
  const Version root = Make("conv_batchnorm", "diffed");
  const std::string index = "blocks[1].norm.batch_state_index[0]";
  const auto before = client_->GetArrays({.state = root, .selectors = {{IndexPath{index}, {}}}});
  ASSERT_TRUE(before.ok()) << before.status();
  std::vector<float> values(4);
  for (size_t i = 0; i < 4; ++i)
    values[i] = before->arrays[0].second.As<float>().value()[i] + (i == 2 ? 2 : 0);
  ASSERT_TRUE(
      client_->SetArrays({.state = BranchName{"diffed"}, .arrays = {{IndexPath{index}, Floats({4}, values)}}})
          .ok());
  const auto diff = client_->DiffSnapshots({.from = root, .to = BranchName{"diffed"}});
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(diff->from_version(), root.value);
  EXPECT_EQ(diff->to_version(), client_->GetBranch("diffed")->head());
  ASSERT_EQ(diff->arrays_size(), 1);
  const ArrayDiff& array = diff->arrays(0);
  EXPECT_EQ(array.index(), index);
  EXPECT_EQ(array.kind(), ArrayDiff::CHANGED);
  EXPECT_EQ(array.from_dtype(), v1::FLOAT32);
  EXPECT_EQ(array.to_dtype(), v1::FLOAT32);
  EXPECT_THAT(array.from_shape(), ::testing::ElementsAre(4));
  EXPECT_THAT(array.to_shape(), ::testing::ElementsAre(4));
  EXPECT_FLOAT_EQ(static_cast<float>(array.max_abs_difference()), 2);
  EXPECT_FLOAT_EQ(static_cast<float>(array.mean_abs_difference()), 0.5);
  const auto all = client_->DiffSnapshots(
      {.from = root, .to = BranchName{"diffed"}, .index = IndexSubtree{"blocks[1]"}, .include_same = true});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->arrays_size(), 3);
  EXPECT_EQ(all->arrays(0).kind(), ArrayDiff::SAME);
  EXPECT_TRUE(all->arrays(0).has_max_abs_difference());
}

TEST_F(ServerTest, DiffMatchesRevisionsByIndex) {
  const fs::path package = repository_ / "revised";
  fs::copy(repository_ / "counter", package);
  ASSERT_TRUE(client_->LoadModel("revised").ok());
  const Version first = Make("revised");
  std::ofstream(package / "model.textproto", std::ios::app) << "state { index: \"more\" dtype: BOOL }\n";
  const auto loaded = client_->LoadModel("revised");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->revision(), 2);
  const auto second = client_->MakeState({.model = "revised", .arrays = {{"count", Int(7)}}});
  ASSERT_TRUE(second.ok()) << second.status();
  const auto diff = client_->DiffSnapshots({.from = first, .to = Version{second->snapshot().version()}});
  ASSERT_TRUE(diff.ok()) << diff.status();
  ASSERT_EQ(diff->arrays_size(), 2);
  EXPECT_EQ(diff->arrays(0).index(), "count");
  EXPECT_EQ(diff->arrays(0).kind(), ArrayDiff::CHANGED);
  EXPECT_EQ(diff->arrays(0).max_abs_difference(), 7);
  EXPECT_EQ(diff->arrays(1).index(), "more");
  EXPECT_EQ(diff->arrays(1).kind(), ArrayDiff::ADDED);
  EXPECT_EQ(diff->arrays(1).to_dtype(), v1::BOOL);
}

TEST_F(ServerTest, DiffMatchesOtherModelsByIndex) {
  const auto diff = client_->DiffSnapshots({.from = Make("counter"), .to = Make("picky")});
  ASSERT_TRUE(diff.ok()) << diff.status();
  ASSERT_EQ(diff->arrays_size(), 2);
  EXPECT_EQ(diff->arrays(0).index(), "total");
  EXPECT_EQ(diff->arrays(0).kind(), ArrayDiff::ADDED);
  EXPECT_EQ(diff->arrays(0).from_dtype(), v1::DTYPE_UNSPECIFIED);
  EXPECT_FALSE(diff->arrays(0).has_max_abs_difference());
  EXPECT_EQ(diff->arrays(1).index(), "count");
  EXPECT_EQ(diff->arrays(1).kind(), ArrayDiff::REMOVED);
}

TEST_F(ServerTest, DiffsOfWhatIsNotThereSayWhat) {
  const Version root = Make("conv_batchnorm");
  const auto diff = [&](client::StateRef from, client::StateRef to,
                        std::optional<client::Index> index = std::nullopt) {
    return client_->DiffSnapshots({.from = std::move(from), .to = std::move(to), .index = std::move(index)})
        .status();
  };
  ExpectError(diff(Version{999999}, root), absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN", "999999");
  ExpectError(diff(root, Version{999999}), absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN", "999999");
  ExpectError(diff(BranchName{"nope"}, root), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND", "nope");
  ExpectError(diff(root, BranchName{"nope"}), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND", "nope");
  ExpectError(diff(Version{0}, root), absl::StatusCode::kInvalidArgument, "", "from.version is 0");
  ExpectError(diff(root, Version{-1}), absl::StatusCode::kInvalidArgument, "", "to.version is -1");
  ExpectError(diff(root, root, IndexPath{"blocks[7]"}), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND",
              "blocks[7]");
  ExpectError(diff(root, root, IndexSubtree{"layers"}), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND",
              "layers");
  ExpectError(diff(root, root, IndexPath{"no path"}), absl::StatusCode::kInvalidArgument, "", "no path");
  ExpectError(diff(root, root, IndexPosition{6}), absl::StatusCode::kOutOfRange, "", "6");
  ExpectError(diff(root, root, IndexPosition{-1}), absl::StatusCode::kOutOfRange, "", "-1");

  const auto stub = v1::StateService::NewStub(Channel());
  const auto send = [&](const v1::DiffSnapshotsRequest& request) {
    grpc::ClientContext context;
    v1::DiffSnapshotsResponse reply;
    const grpc::Status status = stub->DiffSnapshots(&context, request, &reply);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  v1::DiffSnapshotsRequest request;
  EXPECT_THAT(send(request), HasSubstr("from is not set; expected a version or a branch"));
  request.mutable_from()->set_version(root.value);
  EXPECT_THAT(send(request), HasSubstr("to is not set; expected a version or a branch"));
  request.mutable_to()->set_version(root.value);
  request.mutable_index();
  EXPECT_THAT(send(request), HasSubstr("index is not set"));
}

}  // namespace
}  // namespace stepwell::testing
