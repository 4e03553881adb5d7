#include "server/convert/page.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "stepwell/v1/branch_service.pb.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

v1::ListSnapshotsRequest Request() {
  v1::ListSnapshotsRequest request;
  request.set_model("counter");
  (*request.mutable_labels())["a"] = "1";
  (*request.mutable_labels())["b"] = "2";
  return request;
}

TEST(Page, SizeIsBoundedAndHasADefault) {
  v1::ListSnapshotsRequest request = Request();
  EXPECT_EQ(DecodePage(request)->size, 100);
  EXPECT_EQ(DecodePage(request)->after, "");
  request.set_page_size(7);
  EXPECT_EQ(DecodePage(request)->size, 7);
  request.set_page_size(1'000'000);
  EXPECT_EQ(DecodePage(request)->size, 1000);
  request.set_page_size(-1);
  EXPECT_EQ(DecodePage(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Page, TokenGoesOnInTheSameListingWhateverThePageSize) {
  v1::ListSnapshotsRequest request = Request();
  request.set_page_token(EncodePageToken(request, "41"));
  EXPECT_EQ(DecodePage(request)->after, "41");
  request.set_page_size(3);
  EXPECT_EQ(DecodePage(request)->after, "41");
  const std::string second = EncodePageToken(request, "17");
  request.set_page_token(second);
  EXPECT_EQ(DecodePage(request)->after, "17") << "the token before is no part of the listing";
}

TEST(Page, TokenOfAnotherListingIsInvalid) {
  v1::ListSnapshotsRequest request = Request();
  const std::string token = EncodePageToken(request, "41");
  request.set_model("gru");
  request.set_page_token(token);
  EXPECT_EQ(DecodePage(request).status().code(), absl::StatusCode::kInvalidArgument);
  v1::ListBranchesRequest branches;
  branches.set_page_token(EncodePageToken(v1::ListBranchesRequest(), "live"));
  EXPECT_EQ(DecodePage(branches)->after, "live");
  branches.set_page_token(EncodePageToken(v1::ListSnapshotsRequest(), "live"));
  EXPECT_EQ(DecodePage(branches).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Page, ForgedTokensAreInvalid) {
  v1::ListBranchesRequest request;
  std::string changed;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(EncodePageToken(request, "live"), &changed));
  changed.back() ^= 1;
  for (const std::string& token : {std::string("x"), std::string("%%%"), std::string("bGl2ZQ"),
                                   absl::WebSafeBase64Escape(changed), std::string(100000, 'A')}) {
    request.set_page_token(token);
    EXPECT_EQ(DecodePage(request).status().code(), absl::StatusCode::kInvalidArgument) << token.substr(0, 20);
  }
}

}  // namespace
}  // namespace stepwell::server
