#include "client/cli/array_text.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "client/cli/decimal.h"
#include "gtest/gtest.h"

namespace stepwell::cli {
namespace {

Array FromHex(const nlohmann::json& described) {
  const std::vector<int64_t> dims = described["shape"];
  const std::string bytes = absl::HexStringToBytes(described["data"].get<std::string>());
  return Array::Make(ParseDType(described["dtype"].get<std::string>()).value(), dims, Buffer::Adopt(bytes))
      .value();
}

TEST(ArrayTextTest, EqualsWhatNumpyPrinted) {
  std::ifstream file(STEPWELL_SOURCE_DIR "/client/cli/testdata/array_text.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_GT(cases.size(), 300u);
  for (const nlohmann::json& described : cases) {
    EXPECT_EQ(ArrayToText(FromHex(described)), described["text"].get<std::string>()) << described;
  }
}

TEST(ArrayTextTest, BFloat16IsWrittenAsFloat16Is) {
  const std::vector<BFloat16> elements = {ToBFloat16(1.1F), ToBFloat16(-2.5F), ToBFloat16(100)};
  EXPECT_EQ(ArrayToText(Array::From<BFloat16>({3}, elements).value()), "[  1.1  -2.5 100. ]");
  EXPECT_EQ(ArrayToText(Array::Scalar(ToBFloat16(0.1F))), "0.1");
}

TEST(DecimalTest, ShortestDigitsOfEveryNarrowFloatTellItApart) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const BFloat16 brain{static_cast<uint16_t>(bits)};
    if (std::isfinite(ToFloat(half))) {
      EXPECT_EQ(ToFloat16(std::stof(ShortestDecimal(half).ToScientific())), half);
    }
    if (std::isfinite(ToFloat(brain)) && std::fabs(ToFloat(brain)) >= 0x1p-126F) {
      EXPECT_EQ(ToBFloat16(std::stof(ShortestDecimal(brain).ToScientific())), brain);
    }
  }
}

}  // namespace
}  // namespace stepwell::cli
