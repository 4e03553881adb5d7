#include "stepwell/base/sha256.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

// The examples of FIPS 180-2, appendix B.
TEST(Sha256, IsThatOfTheStandard) {
  Sha256 empty;
  EXPECT_EQ(absl::BytesToHexString(empty.Finish()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 pieces;
  pieces.Add("a");
  pieces.Add("bc");
  EXPECT_EQ(absl::BytesToHexString(pieces.Finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace stepwell
