#include "stepwell/model/state_spec.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/testing/expect_error.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::HasSubstr;

Array Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Array::From<float>(dims, values).value();
}

StateSpec SpecOfEveryKind() {
  return StateSpec({
      {{"layers[0].mean", DType::kFloat32, {{2}}}, Floats({2}, {1, 2})},
      {{"layers[0].key", DType::kUInt32, {{2}}}, RngKey()},
      {{"layers[1]", DType::kFloat32, {{Dim::kDynamic, "rows"}, {2}}}, GivenAtMakeState()},
      {{"layers[10]", DType::kInt32, {}}, Array::Scalar<int32_t>(5)},
  });
}

TEST(TensorSpec, CheckNamesTheThingTheValueAndWhatWasExpected) {
  const TensorSpec spec{"x", DType::kFloat32, {{Dim::kDynamic, "batch"}, {4}, {Dim::kDynamic, ""}}};
  EXPECT_EQ(spec.ToString(), "float32 (batch, 4, ?)");
  EXPECT_TRUE(spec.Check("input", Array::Zeros(DType::kFloat32, Shape::Of({0, 4, 9}))).ok());
  for (const Array& wrong :
       {Array::Zeros(DType::kFloat64, Shape::Of({1, 4, 1})), Array::Zeros(DType::kFloat32, Shape::Of({1, 4})),
        Array::Zeros(DType::kFloat32, Shape::Of({1, 5, 1})), Array::Zeros(DType::kFloat32, Shape::Of({}))}) {
    ExpectError(spec.Check("input", wrong), absl::StatusCode::kInvalidArgument, "",
                "; expected float32 (batch, 4, ?)");
  }
  EXPECT_EQ(spec.Check("input", Array::Scalar<int8_t>(1)).message(),
            "input \"x\" is int8 (); expected float32 (batch, 4, ?)");
}

TEST(StateSpec, PositionOfAnUnknownIndexListsTheNearest) {
  const StateSpec spec = SpecOfEveryKind();
  EXPECT_EQ(spec.Position("layers[1]").value(), 2);
  EXPECT_EQ(spec.Find("layers[1]"), 2);
  EXPECT_EQ(spec.Find("layers"), std::nullopt);
  ExpectError(spec.Position("layers[10].x").status(), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND",
              "the model has layers[10], layers[1]");
  ExpectError(spec.Position("a b").status(), absl::StatusCode::kInvalidArgument, "", "at offset 1");
  ExpectError(StateSpec().Position("a").status(), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND",
              "the model has no state");
}

TEST(StateSpec, NearestIndicesAreEightAtMost) {
  std::vector<StateArraySpec> arrays;
  for (int i = 0; i < 12; ++i) {
    arrays.push_back({{"a" + std::to_string(i), DType::kInt32, {}}, Array::Scalar<int32_t>(0)});
  }
  const absl::Status status = StateSpec(std::move(arrays)).Position("a11x").status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the model has a11, a1, a10, a0, a2, a3, a4, a5 and 4 more"));
}

TEST(StateSpec, PositionsPastTheEndAreOutOfRange) {
  const StateSpec spec = SpecOfEveryKind();
  EXPECT_TRUE(spec.CheckPosition(3).ok());
  for (const int64_t position : {int64_t{-1}, int64_t{4}, INT64_MAX, INT64_MIN}) {
    ExpectError(spec.CheckPosition(position), absl::StatusCode::kOutOfRange, "",
                "expected 0 <= position < 4");
  }
}

TEST(StateSpec, SubtreeTakesWholePartsInOrder) {
  const StateSpec spec = SpecOfEveryKind();
  EXPECT_THAT(spec.Subtree("layers[0]").value(), ElementsAre(0, 1));
  EXPECT_THAT(spec.Subtree("layers[1]").value(), ElementsAre(2));
  EXPECT_THAT(spec.Subtree("layers").value(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(spec.Subtree("").value(), ElementsAre(0, 1, 2, 3));
  ExpectError(spec.Subtree("layer").status(), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND", "layers[0]");
  ExpectError(spec.Subtree("layers[").status(), absl::StatusCode::kInvalidArgument, "", "offset 7");
  ExpectError(StateSpec().Subtree("").status(), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND", "no state");
}

TEST(StateSpec, InitialArraysAreGivenOrTheSpecsOwn) {
  const StateSpec spec = SpecOfEveryKind();
  const Array rows = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto made = spec.MakeInitial({{{"layers[1]", rows}, {"layers[10]", Array::Scalar<int32_t>(6)}}},
                                     0x0123456789ABCDEF);
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->size(), 4u);
  EXPECT_EQ((*made)[0].bytes().data(), std::get<Array>(spec[0].initial).bytes().data())
      << "shared by all states";
  EXPECT_EQ((*made)[2].bytes().data(), rows.bytes().data());
  EXPECT_EQ((*made)[3], Array::Scalar<int32_t>(6));
}

TEST(StateSpec, RngKeyIsTheHighAndTheLowHalfOfTheSeed) {
  const StateSpec spec({{{"key", DType::kUInt32, {{2}}}, RngKey()}});
  const std::pair<uint64_t, std::vector<uint32_t>> cases[] = {
      {0, {0, 0}},
      {42, {0, 42}},
      {0x0123456789ABCDEF, {0x01234567, 0x89ABCDEF}},
      {static_cast<uint64_t>(int64_t{-1}), {0xFFFFFFFF, 0xFFFFFFFF}},
      {uint64_t{1} << 63, {0x80000000, 0}},
  };
  for (const auto& [seed, halves] : cases) {
    EXPECT_EQ(spec.MakeInitial({}, seed)->at(0), Array::From<uint32_t>({2}, halves).value()) << seed;
  }
  const Array given = Array::From<uint32_t>({2}, {3, 4}).value();
  EXPECT_EQ(spec.MakeInitial({{{"key", given}}}, std::nullopt)->at(0), given) << "needs no seed then";
  ExpectError(spec.MakeInitial({}, std::nullopt).status(), absl::StatusCode::kInvalidArgument, "",
              "state array \"key\" is a random key; expected a seed, or the array itself");
}

TEST(StateSpec, InitialArraysThatAreWrongAreRefused) {
  const StateSpec spec = SpecOfEveryKind();
  const Array rows = Floats({0, 2}, {});
  const auto make = [&](std::vector<std::pair<std::string, Array>> given) {
    return spec.MakeInitial(given, 1).status();
  };
  EXPECT_TRUE(make({{"layers[1]", rows}}).ok());
  ExpectError(
      make({}), absl::StatusCode::kInvalidArgument, "",
      "state array \"layers[1]\" has no initial value of its own; expected an array of float32 (rows, 2)");
  ExpectError(make({{"layers[1]", rows}, {"layers[1]", rows}}), absl::StatusCode::kInvalidArgument, "",
              "state array \"layers[1]\" is given twice");
  ExpectError(make({{"layers[1]", Floats({2}, {1, 2})}}), absl::StatusCode::kInvalidArgument, "",
              "state array \"layers[1]\" is float32 (2); expected float32 (rows, 2)");
  ExpectError(make({{"layers[2]", rows}}), absl::StatusCode::kNotFound, "INDEX_NOT_FOUND", "layers[2]");
  ExpectError(make({{"", rows}}), absl::StatusCode::kInvalidArgument, "", "offset 0");
}

}  // namespace
}  // namespace stepwell
