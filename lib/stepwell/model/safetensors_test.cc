#include "stepwell/model/safetensors.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

using ::testing::HasSubstr;

std::string Length(uint64_t length) {
  std::string bytes(8, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(length & 0xFF);
    length >>= 8;
  }
  return bytes;
}

std::string File(const std::string& header, const std::string& data = "") {
  return absl::StrCat(Length(header.size()), header, data);
}

absl::StatusOr<Safetensors> Parse(const std::string& content) {
  return ParseSafetensors(Buffer::Copy({reinterpret_cast<const std::byte*>(content.data()), content.size()}));
}

void ExpectWrong(const std::string& content, const std::string& what) {
  const absl::Status status = Parse(content).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

// A file of one tensor "w" whose header says `fields`.
void ExpectWrongEntry(const std::string& fields, const std::string& data, const std::string& what) {
  SCOPED_TRACE(fields);
  ExpectWrong(File(absl::StrCat("{\"w\":{", fields, "}}"), data), "tensor \"w\": ");
  ExpectWrong(File(absl::StrCat("{\"w\":{", fields, "}}"), data), what);
}

TEST(Safetensors, TensorsShareTheFile) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"e":{"dtype":"F64","shape":[0,3],)"
      R"("data_offsets":[12,12]},"f":{"dtype":"BOOL","shape":[1],"data_offsets":[12,13]}})";
  std::string padded = header + std::string(8 - header.size() % 8, ' ');
  const int32_t b[] = {7, -1};
  const float a = 2.5;
  std::string data(13, '\1');
  std::memcpy(data.data(), b, 8);
  std::memcpy(data.data() + 8, &a, 4);
  const std::string content = File(padded, data);
  const Buffer buffer = Buffer::Copy({reinterpret_cast<const std::byte*>(content.data()), content.size()});
  const absl::StatusOr<Safetensors> tensors = ParseSafetensors(buffer);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 4u);
  EXPECT_EQ(tensors->at("b"), Array::From<int32_t>({2}, b).value());
  EXPECT_EQ(tensors->at("a"), Array::Scalar<float>(2.5));
  EXPECT_EQ(tensors->at("e"), Array::Zeros(DType::kFloat64, Shape::Of({0, 3})));
  EXPECT_EQ(tensors->at("f"), Array::From<bool>({1}, {true}).value());
  EXPECT_EQ(tensors->at("b").bytes().data(), buffer.data() + 8 + padded.size());
}

TEST(Safetensors, EveryDTypeOfArraysIsRead) {
  const std::pair<const char*, DType> tags[] = {
      {"BOOL", DType::kBool},    {"I8", DType::kInt8},     {"U8", DType::kUInt8},    {"I16", DType::kInt16},
      {"U16", DType::kUInt16},   {"I32", DType::kInt32},   {"U32", DType::kUInt32},  {"I64", DType::kInt64},
      {"U64", DType::kUInt64},   {"F16", DType::kFloat16}, {"F32", DType::kFloat32}, {"F64", DType::kFloat64},
      {"BF16", DType::kBFloat16}};
  for (const auto& [tag, dtype] : tags) {
    SCOPED_TRACE(tag);
    const size_t bytes = 3 * ItemSize(dtype);
    const auto tensors = Parse(
        File(absl::StrCat("{\"w\":{\"dtype\":\"", tag, "\",\"shape\":[3],\"data_offsets\":[0,", bytes, "]}}"),
             std::string(bytes, '\1')));
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    EXPECT_EQ(tensors->at("w").dtype(), dtype);
  }
}

TEST(Safetensors, NoTensorsIsAFileToo) { EXPECT_TRUE(Parse(File("{}"))->empty()); }

TEST(Safetensors, HeaderThatIsCutOffOrTooLongIsWrong) {
  ExpectWrong("", "the file has 0 bytes; expected 8 of header length");
  ExpectWrong("1234567", "the file has 7 bytes");
  ExpectWrong(Length(3) + "{}",
              "the header's length is 3; expected at most 100000000 and the 2 bytes that follow");
  ExpectWrong(Length(UINT64_MAX) + "{}", "the header's length is 18446744073709551615");
  ExpectWrong(Length(UINT64_MAX - 7) + "{}", "the header's length is");
  ExpectWrong(Length(100'000'001) + "{}", "the header's length is 100000001");
}

TEST(Safetensors, HeaderThatIsNoObjectIsWrong) {
  for (const char* header : {"", " ", "null", "[]", "1", "\"w\"", "{", "{\"w\"}", "{} {}", "NaN",
                             "{\"w\":NaN}", "{\"\xFF\":{}}", "{'w':{}}", "{\"w\":{},}"}) {
    SCOPED_TRACE(header);
    ExpectWrong(File(header), "the header is no JSON object");
  }
}

TEST(Safetensors, DeepNestingIsRefusedWithoutRecursion) {
  const std::string deep =
      absl::StrCat("{\"w\":", std::string(1'000'000, '['), std::string(1'000'000, ']'), "}");
  ExpectWrong(File(deep), "tensor \"w\": expected an object");
}

TEST(Safetensors, EntryThatIsNoneIsWrong) {
  const char* expected = "expected an object with \"dtype\", \"shape\" and \"data_offsets\"";
  ExpectWrong(File("{\"w\":1}"), expected);
  ExpectWrong(File("{\"w\":[]}"), expected);
  ExpectWrongEntry("", "", expected);
  ExpectWrongEntry(R"("dtype":"F32","shape":[1])", "1234", expected);
  ExpectWrongEntry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1)", "1234", expected);
  ExpectWrongEntry(R"("dtype":"F32","shape":[1],"offsets":[0,4])", "1234", expected);
}

TEST(Safetensors, UnknownDTypeIsWrong) {
  ExpectWrongEntry(R"("dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1])", "1", "dtype F8_E4M3 is none");
  ExpectWrongEntry(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])", "1234", "dtype f32 is none");
  ExpectWrongEntry(R"("dtype":1,"shape":[1],"data_offsets":[0,4])", "1234", "dtype 1 is none");
  ExpectWrongEntry(R"("dtype":null,"shape":[1],"data_offsets":[0,4])", "1234", "dtype null is none");
}

TEST(Safetensors, ShapeThatIsNoneIsWrong) {
  for (const char* shape : {"[-1]", "[1.0]", "[1e0]", "[\"1\"]", "[null]", "[[1]]", "1", "{}", "null",
                            "[18446744073709551615]", "[18446744073709551616]"}) {
    ExpectWrongEntry(absl::StrCat(R"("dtype":"F32","shape":)", shape, R"(,"data_offsets":[0,4])"), "1234",
                     "expected an array of integers from 0");
  }
  ExpectWrongEntry(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", "", "4294967296");
  ExpectWrongEntry(R"("dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,4])", "1234",
                   "9223372036854775807");
}

TEST(Safetensors, OffsetsThatAreNoneAreWrong) {
  for (const char* offsets :
       {"[0]", "[0,4,8]", "[4,0]", "[-4,0]", "[0,4.0]", "null", "[0,18446744073709551615]", "{\"0\":4}"}) {
    ExpectWrongEntry(absl::StrCat(R"("dtype":"F32","shape":[1],"data_offsets":)", offsets), "1234",
                     "expected two integers from 0, the first not above the second");
  }
}

TEST(Safetensors, BytesThatAreNotTheShapesAreWrong) {
  ExpectWrongEntry(R"("dtype":"F32","shape":[1],"data_offsets":[0,3])", "123",
                   "has 3 bytes; float32 (1) takes 4");
  ExpectWrongEntry(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])", "12345678", "has 8 bytes");
  ExpectWrongEntry(R"("dtype":"F32","shape":[0],"data_offsets":[0,4])", "1234", "takes 0");
}

std::string TwoTensors(const std::string& a, const std::string& b) {
  return absl::StrCat(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)", a,
                      R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)", b, "}}");
}

TEST(Safetensors, RangesThatOverlapOrLeaveAGapAreWrong) {
  ASSERT_TRUE(Parse(File(TwoTensors("[2,4]", "[0,2]"), "1234")).ok()) << "the header's order does not count";
  ExpectWrong(File(TwoTensors("[0,2]", "[1,3]"), "123"),
              "tensor \"b\": has the bytes [1, 3); expected them from 2");
  ExpectWrong(File(TwoTensors("[0,2]", "[0,2]"), "12"), "expected them from 2");
  ExpectWrong(File(TwoTensors("[0,2]", "[3,5]"), "12345"), "has the bytes [3, 5); expected them from 2");
  ExpectWrong(File(TwoTensors("[1,3]", "[3,5]"), "12345"),
              "tensor \"a\": has the bytes [1, 3); expected them from 0");
}

TEST(Safetensors, RangesThatAreNotTheFilesAreWrong) {
  ExpectWrong(File(TwoTensors("[0,2]", "[2,4]"), "123"), "within the 3 of the file");
  ExpectWrong(File(TwoTensors("[0,2]", "[2,4]"), "12345"), "the file has 5 bytes of data; expected 4");
  ExpectWrong(File("{}", "1"), "the file has 1 bytes of data; expected 0");
  ExpectWrong(File(TwoTensors("[0,2]", "[9223372036854775805,9223372036854775807]"), "12"), "tensor \"b\"");
}

TEST(Safetensors, NameThatStandsTwiceIsWrong) {
  ExpectWrong(File(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                   R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                   "1"),
              "tensor \"w\": stands in the header twice");
}

TEST(Safetensors, FieldThatStandsTwiceIsWrong) {
  ExpectWrong(File(R"({"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "1"),
              "tensor \"w\": \"dtype\" stands there twice");
}

TEST(Safetensors, BoolOfAnotherByteIsWrong) {
  ExpectWrongEntry(R"("dtype":"BOOL","shape":[2],"data_offsets":[0,2])", "\1\2", "bool");
}

TEST(Safetensors, ErrorOfAFileNamesIt) {
  const testing::TempFolder folder;
  const auto path = folder.Write("initial.safetensors", "123");
  const absl::Status wrong = ReadSafetensors(path).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("initial.safetensors\": the file has 3 bytes"));
  const absl::Status gone = ReadSafetensors(folder.path() / "gone").status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(gone.message()), HasSubstr("gone\" cannot be opened"));
  folder.Write("right.safetensors", File(TwoTensors("[0,2]", "[2,4]"), "1234"));
  EXPECT_EQ(ReadSafetensors(folder.path() / "right.safetensors")->at("b"),
            Array::From<uint8_t>({2}, {'3', '4'}).value());
}

}  // namespace
}  // namespace stepwell
