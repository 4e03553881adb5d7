#include "server/rpc/status.h"

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::server {
namespace {

TEST(ToGrpcStatusTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(ToGrpcStatusTest, EveryCodeKeepsItsMeaning) {
  const std::pair<absl::StatusCode, grpc::StatusCode> codes[] = {
      {absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED},
      {absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN},
      {absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
      {absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND},
      {absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
      {absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
      {absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {absl::StatusCode::kAborted, grpc::StatusCode::ABORTED},
      {absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
      {absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
      {absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL},
      {absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED},
  };
  for (const auto& [from, to] : codes) {
    const grpc::Status status = ToGrpcStatus(absl::Status(from, "why"));
    EXPECT_EQ(status.error_code(), to);
    EXPECT_EQ(status.error_message(), "why");
    EXPECT_EQ(status.error_details(), "");
  }
}

TEST(ToGrpcStatusTest, ReasonAndMetadataTravelAsErrorInfo) {
  const grpc::Status status = ToGrpcStatus(WithErrorInfo(absl::AbortedError("the head moved"), "HEAD_MOVED",
                                                         {{"branch", "live"}, {"current_head", "7"}}));
  v1::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::ABORTED));
  EXPECT_EQ(details.message(), "the head moved");
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.reason(), "HEAD_MOVED");
  EXPECT_EQ(info.domain(), "stepwell");
  EXPECT_EQ(info.metadata().at("branch"), "live");
  EXPECT_EQ(info.metadata().at("current_head"), "7");
}

// The copy for reflection says what the public one does.
TEST(ToGrpcStatusTest, ErrorInfoHasTheFieldsOfThePublicOne) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* shown = pool->FindMessageTypeByName("google.rpc.ErrorInfo");
  ASSERT_NE(shown, nullptr);
  const auto* published = v1::ErrorInfo::descriptor();
  ASSERT_EQ(shown->field_count(), published->field_count());
  for (int i = 0; i < shown->field_count(); ++i) {
    EXPECT_EQ(shown->field(i)->name(), published->field(i)->name());
    EXPECT_EQ(shown->field(i)->number(), published->field(i)->number());
    EXPECT_EQ(shown->field(i)->type(), published->field(i)->type());
  }
}

}  // namespace
}  // namespace stepwell::server
