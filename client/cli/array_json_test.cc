#include "client/cli/array_json.h"

#include <cmath>
#include <limits>

#include "client/cli/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::cli {
namespace {

using ::testing::HasSubstr;

v1::TensorSpec Spec(DType dtype, std::vector<int64_t> dims = {}) {
  v1::TensorSpec spec;
  spec.set_dtype(static_cast<v1::DType>(dtype));
  for (const int64_t extent : dims) spec.add_shape()->set_extent(extent);
  return spec;
}

absl::StatusOr<Array> Read(absl::string_view text, DType dtype, std::vector<int64_t> dims = {}) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  return ArrayFromJson(*json, Spec(dtype, std::move(dims)));
}

std::string RoundTrip(absl::string_view text, DType dtype) {
  const absl::StatusOr<Array> array = Read(text, dtype);
  return array.ok() ? ArrayToJson(*array).dump() : array.status().ToString();
}

TEST(ArrayJsonTest, ShapeIsThatOfTheLists) {
  EXPECT_EQ(Read("5", DType::kInt32).value(), Array::Scalar<int32_t>(5));
  EXPECT_EQ(Read("[[1, 2, 3], [4, 5, 6]]", DType::kUInt8).value(),
            Array::From<uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6}).value());
  EXPECT_EQ(Read("[[], []]", DType::kFloat32).value(), Array::Zeros(DType::kFloat32, Shape::Of({2, 0})));
}

TEST(ArrayJsonTest, EmptyListTakesTheAxesWithinFromTheSpec) {
  EXPECT_EQ(Read("[]", DType::kFloat32, {-1, 2, -1}).value().shape(), Shape::Of({0, 2, 0}));
  EXPECT_EQ(Read("[]", DType::kFloat32, {-1}).value().shape(), Shape::Of({0}));
  EXPECT_EQ(Read("[]", DType::kFloat32).value().shape(), Shape::Of({0}));
}

TEST(ArrayJsonTest, EveryDtypeKeepsItsLimits) {
  const struct {
    DType dtype;
    const char* text;
  } kCases[] = {
      {DType::kBool, "[true,false]"},
      {DType::kInt8, "[-128,127]"},
      {DType::kUInt8, "[0,255]"},
      {DType::kInt16, "[-32768,32767]"},
      {DType::kUInt16, "[0,65535]"},
      {DType::kInt32, "[-2147483648,2147483647]"},
      {DType::kUInt32, "[0,4294967295]"},
      {DType::kInt64, "[-9223372036854775808,9223372036854775807]"},
      {DType::kUInt64, "[0,18446744073709551615]"},
      {DType::kFloat16, R"([0.1,65500.0,-6e-08,"NaN","Infinity","-Infinity"])"},
      {DType::kBFloat16, R"([0.1,1e+38,"NaN","-Infinity"])"},
      {DType::kFloat32, R"([0.1,0.3333333,3.4028235e+38,1e-45,-0.0,"NaN","Infinity"])"},
      {DType::kFloat64, R"([0.1,0.3333333333333333,1.7976931348623157e+308,5e-324,"NaN"])"},
  };
  for (const auto& [dtype, text] : kCases) EXPECT_EQ(RoundTrip(text, dtype), text) << dtype;
}

TEST(ArrayJsonTest, WholeFloatsAreIntegers) {
  EXPECT_EQ(RoundTrip("[1.0, 1e3, -2.0]", DType::kInt32), "[1,1000,-2]");
}

TEST(ArrayJsonTest, NonFiniteNumbersMayBeBare) {
  EXPECT_EQ(RoundTrip("[NaN, Infinity, -Infinity, \"NaN\"]", DType::kFloat32),
            R"(["NaN","Infinity","-Infinity","NaN"])");
  EXPECT_EQ(ParseJson(R"({"NaN": "a \" NaN", "b": NaN})").value().dump(), R"({"NaN":"a \" NaN","b":"NaN"})");
}

TEST(ArrayJsonTest, WhatDoesNotFitIsBadInputAndNamesTheElement) {
  const struct {
    DType dtype;
    const char* text;
    const char* what;
  } kCases[] = {
      {DType::kUInt8, "[1, 300]", "element [1] is 300, which does not fit uint8; expected a whole number"},
      {DType::kUInt8, "-1", "the value is -1"},
      {DType::kInt8, "-129", "-129"},
      {DType::kInt32, "1.5", "the value is 1.5, which does not fit int32"},
      {DType::kInt32, "2147483648", "2147483648"},
      {DType::kInt32, "\"NaN\"", "NaN"},
      {DType::kInt64, "9223372036854775808", "9223372036854775808"},
      {DType::kInt64, "1e19", "int64"},
      {DType::kUInt64, "18446744073709551616", "uint64"},
      {DType::kInt32, "true", "the value is true"},
      {DType::kInt32, "null", "the value is null"},
      {DType::kInt32, "{\"a\": 1}", "the value is {\"a\":1}"},
      {DType::kBool, "[[true, 1]]", "element [0, 1] is 1, which does not fit bool; expected true or false"},
      {DType::kFloat16, "65520", "float16"},
      {DType::kBFloat16, "3.4e38", "bfloat16"},
      {DType::kFloat32, "1e39", "float32"},
      {DType::kFloat32, "\"abc\"", "\"abc\""},
      {DType::kFloat64, "1e400", "no JSON"},
      {DType::kFloat32, "[[1, 2], [3]]", "element [1] is a list of 1; expected a list of 2"},
      {DType::kFloat32, "[[1, 2], 3]", "element [1] is 3; expected a list of 2"},
      {DType::kFloat32, "[1, [2]]", "element [1] is a list of 1; expected a number"},
      {DType::kFloat32, "[[], [1]]", "element [1] is a list of 1; expected a list of 0"},
      {DType::kFloat32, "[1, 2", "no JSON"},
      {DType::kFloat32, "", "no JSON"},
      {DType::kFloat32, "five", "no JSON"},
  };
  for (const auto& [dtype, text, what] : kCases) {
    const absl::Status status = Read(text, dtype).status();
    EXPECT_EQ(ExitCode(status), kExitBadInput) << text << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << text;
  }
  EXPECT_THAT(
      std::string(Read(std::string(40, '[') + "1" + std::string(40, ']'), DType::kInt8).status().message()),
      HasSubstr("nested deeper than 32"));
}

TEST(ArrayJsonTest, SpecWithoutDtypeIsTheServersFault) {
  EXPECT_EQ(ArrayFromJson(Json(1), v1::TensorSpec()).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace stepwell::cli
