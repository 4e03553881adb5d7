#ifndef STEPWELL_MODEL_TESTING_EXPECT_ERROR_H_
#define STEPWELL_MODEL_TESTING_EXPECT_ERROR_H_

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"

namespace stepwell::testing {

// Fails the test unless `status` has `code` and `reason`, and its message holds `what`.
inline void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason,
                        const std::string& what) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(GetErrorInfo(status).reason, reason) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(what));
}

}  // namespace stepwell::testing

#endif  // STEPWELL_MODEL_TESTING_EXPECT_ERROR_H_
