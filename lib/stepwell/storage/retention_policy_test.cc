#include "stepwell/storage/retention_policy.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/storage/record.h"

namespace stepwell {
namespace {

void ExpectInvalid(const RetentionPolicy& policy, const std::string& what) {
  const absl::Status status = CheckRetentionPolicy(policy);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(what));
}

TEST(RetentionPolicy, WithoutRulesKeepsAll) {
  EXPECT_TRUE(RetentionPolicy().keeps_all());
  EXPECT_FALSE(RetentionPolicy{.keep_last = 1}.keeps_all());
  EXPECT_FALSE(RetentionPolicy{.keep_every = 1}.keeps_all());
  EXPECT_FALSE(RetentionPolicy{.max_age = absl::ZeroDuration()}.keeps_all());
}

TEST(RetentionPolicy, CountsArePositiveAndAgesAreNotNegative) {
  EXPECT_TRUE(CheckRetentionPolicy({}).ok());
  EXPECT_TRUE(CheckRetentionPolicy({.keep_last = 1, .keep_every = 1, .max_age = absl::ZeroDuration()}).ok());
  ExpectInvalid({.keep_last = 0}, "retention.keep_last is 0; expected at least 1");
  ExpectInvalid({.keep_every = -3}, "retention.keep_every is -3");
  ExpectInvalid({.max_age = -absl::Seconds(2)}, "retention.max_age is -2s");
}

TEST(SnapshotRecord, LabelsOfStepwellsOwnAreNoLabels) {
  EXPECT_FALSE(IsLabelled({}));
  EXPECT_FALSE(IsLabelled({{"stepwell.stream", "7/1"}}));
  EXPECT_TRUE(IsLabelled({{"stepwell", "x"}}));
  EXPECT_TRUE(IsLabelled({{"a", ""}, {"stepwell.stream", "7/1"}}));
}

}  // namespace
}  // namespace stepwell
