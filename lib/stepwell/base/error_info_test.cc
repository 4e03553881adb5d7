#include "stepwell/base/error_info.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ErrorInfo, ReturnsWhatWasAttachedSortedByKey) {
  const absl::Status status = WithErrorInfo(absl::AbortedError("the head moved"), "HEAD_MOVED",
                                            {{"current_head", "17"}, {"branch", "live"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "the head moved");
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, "HEAD_MOVED");
  EXPECT_THAT(info.metadata, ElementsAre(Pair("branch", "live"), Pair("current_head", "17")));
}

TEST(ErrorInfo, IsEmptyForAPlainStatus) {
  const ErrorInfo info = GetErrorInfo(absl::InternalError("plain"));
  EXPECT_EQ(info.reason, "");
  EXPECT_THAT(info.metadata, IsEmpty());
}

}  // namespace
}  // namespace stepwell
