#include "client/cli/npy.h"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::cli {
namespace {

using ::testing::HasSubstr;

void ExpectBadInput(const absl::Status& status, const std::string& what) {
  EXPECT_EQ(ExitCode(status), kExitBadInput) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

// A file of version 1.0 with this header and so many bytes of data.
std::string File(const std::string& header, size_t data_bytes) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += {static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  return absl::StrCat(file, header, std::string(data_bytes, '\x01'));
}

nlohmann::json NumpyCases() {
  std::ifstream file(STEPWELL_SOURCE_DIR "/client/cli/testdata/npy.json");
  return nlohmann::json::parse(file);
}

TEST(NpyTest, ReadsWhatNumpySavedInEveryVersionOrderAndDtype) {
  const nlohmann::json cases = NumpyCases();
  ASSERT_GT(cases.size(), 40u);
  for (const nlohmann::json& described : cases) {
    const auto array = ParseNpy(absl::HexStringToBytes(described["npy"].get<std::string>()));
    ASSERT_TRUE(array.ok()) << array.status() << described;
    EXPECT_EQ(DTypeName(array->dtype()), described["dtype"].get<std::string>());
    const std::vector<int64_t> dims = described["shape"];
    EXPECT_EQ(array->shape(), Shape::Make(dims).value());
    const absl::string_view bytes(reinterpret_cast<const char*>(array->bytes().data()),
                                  array->bytes().size());
    EXPECT_EQ(absl::BytesToHexString(bytes), described["data"].get<std::string>()) << described;
  }
}

TEST(NpyTest, WritesByteForByteWhatNumpySaves) {
  int compared = 0;
  for (const nlohmann::json& described : NumpyCases()) {
    const std::string saved = absl::HexStringToBytes(described["npy"].get<std::string>());
    if (described["version"] != 1 || saved.find("True") != std::string::npos ||
        saved.find("'>") != std::string::npos) {
      continue;
    }
    ++compared;
    EXPECT_EQ(absl::CHexEscape(WriteNpy(ParseNpy(saved).value())), absl::CHexEscape(saved));
  }
  EXPECT_GT(compared, 15);
}

TEST(NpyTest, MalformedFilesAreBadInput) {
  const std::string good = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n";
  ASSERT_TRUE(ParseNpy(File(good, 8)).ok());
  const struct {
    std::string file;
    std::string what;
  } kCases[] = {
      {"", "no .npy file"},
      {"PK\x03\x04", "no .npy file"},
      {File(good, 8).substr(0, 7), "ends within its first bytes"},
      {File(good, 8).substr(0, 9), "ends before its header"},
      {File(good, 8).substr(0, 30), "ends within its header"},
      {std::string("\x93NUMPY\x04\x00", 8), "version 4.0"},
      {std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12), "ends within its header of 4294967295 bytes"},
      {File(good, 7), "holds 7 bytes of data; expected 8 for int32 (2)"},
      {File(good, 9), "holds 9 bytes"},
      {File("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8), "dtype \"<c8\""},
      {File("{'descr': '<V2', 'fortran_order': False, 'shape': (1,)}", 2), "numpy has no bfloat16"},
      {File("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8), "dtype \"|O\""},
      {File("{'descr': '', 'fortran_order': False, 'shape': (1,)}", 8), "dtype \"\""},
      {File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4), "expected a string"},
      {File("{'descr': '<i4', 'fortran_order': 0, 'shape': (2,)}", 8), "expected True or False"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (2)}", 8), "expected ,"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (-2,)}", 8), "expected an extent"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (2,}", 8), "expected an extent"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8),
       "expected an extent"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 8), ".npy shape"},
      {File("{'descr': '<i4', 'fortran_order': False}", 8), "expected 'descr'"},
      {File("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,)}", 8), "once"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'extra': True}", 8), "once"},
      {File("{'descr': '<i4", 8), "expected the end of a string"},
      {File("", 8), "expected {"},
      {File("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", 0) + "\x02", ".npy data"},
  };
  for (const auto& [file, what] : kCases) ExpectBadInput(ParseNpy(file).status(), what);
}

TEST(NpyTest, EveryTruncationAndEveryChangedByteIsReadOrRefused) {
  const std::string good = WriteNpy(Array::From<float>({2, 3}, {1, 2, 3, 4, 5, 6}).value());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(ExitCode(ParseNpy(good.substr(0, size)).status()), kExitBadInput) << size;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'\0', '\xFF', '9', '(', '\'', ' '}) {
      std::string changed = good;
      changed[at] = byte;
      const auto array = ParseNpy(changed);
      if (array.ok()) {
        EXPECT_EQ(array->byte_count(), 24) << at;
      } else {
        EXPECT_EQ(ExitCode(array.status()), kExitBadInput) << at;
      }
    }
  }
}

TEST(NpyTest, BFloat16TravelsAsFloat32) {
  const std::vector<BFloat16> elements = {ToBFloat16(1.5F), ToBFloat16(-3e38F),
                                          ToBFloat16(std::numeric_limits<float>::quiet_NaN())};
  const Array array = Array::From<BFloat16>({3}, elements).value();
  const auto widened = ParseNpy(WriteNpy(array));
  ASSERT_TRUE(widened.ok()) << widened.status();
  EXPECT_EQ(widened->dtype(), DType::kFloat32);
  const auto back = NarrowToBFloat16(*widened);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, array);
  ExpectBadInput(NarrowToBFloat16(Array::From<float>({2}, {1, 1.001F}).value()).status(), "element 1");
  ExpectBadInput(NarrowToBFloat16(Array::Scalar<int32_t>(1)).status(), "int32; expected float32");
}

}  // namespace
}  // namespace stepwell::cli
