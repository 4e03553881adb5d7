// Tests of MakeStateArrays, which model_config.h declares.

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/model_config.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A file of float32 tensors "a" = [1, 2] and "b" = [[3]].
std::string TwoTensors() {
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const float data[] = {1, 2, 3};
  absl::StrAppend(&bytes, header, absl::string_view(reinterpret_cast<const char*>(data), sizeof(data)));
  return bytes;
}

class StateArraysTest : public ::testing::Test {
 protected:
  StateArraysTest() {
    folder_.Write("initial.safetensors", TwoTensors());
    folder_.Write("broken.safetensors", "123");
  }

  StateArrays Make(absl::string_view text) {
    issues_ = Issues();
    const std::optional<ConfigText> config = ParseModelConfig(text, "model.textproto", issues_);
    EXPECT_TRUE(config.has_value());
    return MakeStateArrays(*config, *Package::Open(folder_.path()), issues_);
  }

  // The initial array of the one state array of `text`.
  Array Initial(absl::string_view text) {
    const StateArrays made = Make(text);
    EXPECT_THAT(issues_.lines(), IsEmpty());
    const auto* array = made.arrays.empty() ? nullptr : std::get_if<Array>(&made.arrays[0].initial);
    EXPECT_NE(array, nullptr);
    return array == nullptr ? Array() : *array;
  }

  void ExpectIssue(absl::string_view text, const std::string& what) {
    SCOPED_TRACE(std::string(text));
    Make(text);
    EXPECT_THAT(issues_.lines(), ElementsAre(HasSubstr(what)));
  }

  testing::TempFolder folder_;
  Issues issues_;
};

TEST_F(StateArraysTest, ZerosWhenNothingIsSaid) {
  const Array zeros = Array::Zeros(DType::kFloat32, Shape::Of({2, 3}));
  EXPECT_EQ(Initial("state { index: \"a\" dtype: FLOAT32 shape: [2, 3] }"), zeros);
  EXPECT_EQ(Initial("state { index: \"a\" dtype: FLOAT32 shape: [2, 3] zeros {} }"), zeros);
  EXPECT_EQ(Initial("state { index: \"a\" dtype: BOOL }"), Array::Scalar(false));
}

TEST_F(StateArraysTest, DynamicDimensionsStartEmpty) {
  EXPECT_EQ(Initial("state { index: \"a\" dtype: INT8 shape: [-1, 3] constant { value: 1 } }"),
            Array::Zeros(DType::kInt8, Shape::Of({0, 3})));
}

TEST_F(StateArraysTest, ConstantsFillEveryDType) {
  const auto fill = [this](const char* dtype, const char* value) {
    return Initial(absl::StrCat("state { index: \"a\" dtype: ", dtype, " constant { value: ", value, " } }"));
  };
  EXPECT_EQ(fill("BOOL", "1"), Array::Scalar(true));
  EXPECT_EQ(fill("INT8", "-128"), Array::Scalar<int8_t>(-128));
  EXPECT_EQ(fill("UINT8", "255"), Array::Scalar<uint8_t>(255));
  EXPECT_EQ(fill("INT16", "-32768"), Array::Scalar<int16_t>(-32768));
  EXPECT_EQ(fill("UINT16", "65535"), Array::Scalar<uint16_t>(65535));
  EXPECT_EQ(fill("INT32", "2147483647"), Array::Scalar<int32_t>(2147483647));
  EXPECT_EQ(fill("UINT32", "4294967295"), Array::Scalar<uint32_t>(4294967295));
  EXPECT_EQ(fill("INT64", "-9223372036854775808"), Array::Scalar<int64_t>(INT64_MIN));
  EXPECT_EQ(fill("UINT64", "9223372036854775808"), Array::Scalar<uint64_t>(uint64_t{1} << 63));
  EXPECT_EQ(fill("FLOAT16", "1.0009"), Array::Scalar(Float16{0x3C01})) << "rounded to the nearest";
  EXPECT_EQ(fill("BFLOAT16", "-2"), Array::Scalar(BFloat16{0xC000}));
  EXPECT_EQ(fill("FLOAT32", "0.1"), Array::Scalar<float>(0.1f));
  EXPECT_EQ(fill("FLOAT32", "-inf"), Array::Scalar<float>(-INFINITY));
  EXPECT_TRUE(std::isnan(fill("FLOAT64", "nan").As<double>().value()[0]));
}

TEST_F(StateArraysTest, ConstantOutOfRangeIsAnIssue) {
  const std::pair<const char*, const char*> cases[] = {{"BOOL", "2"},
                                                       {"BOOL", "0.5"},
                                                       {"INT8", "128"},
                                                       {"INT8", "-129"},
                                                       {"UINT8", "-1"},
                                                       {"UINT8", "256"},
                                                       {"INT32", "2147483648"},
                                                       {"INT32", "0.5"},
                                                       {"UINT32", "4294967296"},
                                                       {"INT64", "9223372036854775808"},
                                                       {"UINT64", "18446744073709551616"},
                                                       {"UINT64", "-1"},
                                                       {"INT32", "nan"},
                                                       {"INT64", "inf"},
                                                       {"FLOAT16", "65520"},
                                                       {"BFLOAT16", "3.4e38"},
                                                       {"FLOAT32", "1e39"},
                                                       {"BOOL", "nan"}};
  for (const auto& [dtype, value] : cases) {
    ExpectIssue(absl::StrCat("state { index: \"a\" dtype: ", dtype, " constant { value: ", value, " } }"),
                "model.textproto:1: state \"a\": constant ");
  }
}

TEST_F(StateArraysTest, FilesGiveInitialValues) {
  EXPECT_EQ(
      Initial("state { index: \"a\" dtype: FLOAT32 shape: [2] file { path: \"initial.safetensors\" } }"),
      Array::From<float>({2}, {1, 2}).value());
  EXPECT_EQ(Initial("state { index: \"x\" dtype: FLOAT32 shape: [-1, 1] "
                    "file { path: \"initial.safetensors\" tensor: \"b\" } }"),
            Array::From<float>({1, 1}, {3}).value())
      << "and dynamic dimensions their first extent";
}

TEST_F(StateArraysTest, FileThatDoesNotGiveTheArrayIsAnIssue) {
  const auto file = [](const char* spec, const char* fields) {
    return absl::StrCat("state { index: \"a\" ", spec, " file { ", fields, " } }");
  };
  const char* right = "dtype: FLOAT32 shape: [2]";
  ExpectIssue(file(right, "path: \"gone.safetensors\""),
              "initial file \"gone.safetensors\": file \"gone.safetensors\" is not in the package");
  ExpectIssue(file(right, "path: \"../x.safetensors\""), "leaves the package");
  ExpectIssue(file(right, ""), "leaves the package");
  ExpectIssue(file(right, "path: \"broken.safetensors\""), "the file has 3 bytes");
  ExpectIssue(file(right, "path: \"initial.safetensors\" tensor: \"c\""),
              "\"initial.safetensors\" has no tensor \"c\"; it has a, b");
  ExpectIssue(file("dtype: FLOAT64 shape: [2]", "path: \"initial.safetensors\""),
              "is float32 (2); expected float64 (2)");
  ExpectIssue(file("dtype: FLOAT32 shape: [3]", "path: \"initial.safetensors\""),
              "is float32 (2); expected float32 (3)");
}

TEST_F(StateArraysTest, GivenAndRngKeyHaveNoValueYet) {
  const StateArrays made = Make(
      "state { index: \"a\" dtype: FLOAT32 given {} }\n"
      "state { index: \"key\" dtype: UINT32 shape: [2] rng_key {} }");
  EXPECT_THAT(issues_.lines(), IsEmpty());
  ASSERT_EQ(made.arrays.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<GivenAtMakeState>(made.arrays[0].initial));
  EXPECT_TRUE(std::holds_alternative<RngKey>(made.arrays[1].initial));
}

TEST_F(StateArraysTest, RngKeyOfAnotherTypeIsAnIssue) {
  for (const char* type : {"dtype: INT32 shape: [2]", "dtype: UINT32 shape: [3]", "dtype: UINT32",
                           "dtype: UINT32 shape: [-1]", "dtype: UINT32 shape: [2, 1]"}) {
    ExpectIssue(absl::StrCat("state { index: \"key\" ", type, " rng_key {} }"), "an rng_key is uint32 (2)");
  }
}

TEST_F(StateArraysTest, IndexThatIsNoneIsAnIssue) {
  ExpectIssue("state { dtype: INT32 }", "index \"\" is no key path");
  ExpectIssue("state { index: \"a b\" dtype: INT32 }", "at offset 1");
}

TEST_F(StateArraysTest, IndexThatIsDeclaredTwiceIsAnIssue) {
  const StateArrays made =
      Make("state { index: \"a\" dtype: INT32 }\nstate { index: \"a\" dtype: FLOAT32 shape: [2] }");
  EXPECT_THAT(issues_.lines(), ElementsAre("model.textproto:2: state \"a\": the index is declared already; "
                                           "expected each index once"));
  EXPECT_EQ(made.arrays.size(), 1u);
}

TEST_F(StateArraysTest, WrongTypeIsAnIssueAndLeavesNothingToCompareWith) {
  const StateArrays made = Make("state { index: \"a\" }\nstate { index: \"b\" dtype: INT32 shape: [2, -2] }");
  EXPECT_THAT(
      issues_.lines(),
      ElementsAre("model.textproto:1: state \"a\": has no dtype; expected one such as FLOAT32",
                  "model.textproto:2: state \"b\": shape has the dimension -2; expected 0 or more, or -1 "
                  "for a dynamic one"));
  EXPECT_THAT(made.arrays, IsEmpty());
  EXPECT_TRUE(made.without_type.contains("a"));
  EXPECT_TRUE(made.without_type.contains("b"));
  ExpectIssue("state { index: \"a\" dtype: 77 }", "has no dtype");
  ExpectIssue("state { index: \"a\" dtype: INT8 shape: [9223372036854775807, 2] }", "9223372036854775807");
  ExpectIssue("state { index: \"a\" dtype: INT8 shape: [4294967296, 4294967296] }", "4294967296");
}

TEST_F(StateArraysTest, EveryIssueIsTold) {
  Make(
      "state { index: \"a\" dtype: BOOL constant { value: 3 } }\n"
      "state { index: \"1\" dtype: INT32 }\n"
      "state { index: \"a\" dtype: INT32 }\n"
      "state { index: \"b\" shape: [-7] }\n"
      "state { index: \"c\" dtype: FLOAT32 file { path: \"gone\" } }");
  EXPECT_THAT(issues_.lines(),
              ElementsAre(HasSubstr(":1: state \"a\": constant 3 is no bool"), HasSubstr(":2: state \"1\""),
                          HasSubstr(":3: state \"a\""), HasSubstr(":4: state \"b\": has no dtype"),
                          HasSubstr(":4: state \"b\": shape has the dimension -7"),
                          HasSubstr(":5: state \"c\": initial file \"gone\"")));
}

}  // namespace
}  // namespace stepwell
