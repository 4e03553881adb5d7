#include "stepwell/storage/version_set.h"

#include <set>

#include "absl/random/random.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(VersionSet, HoldsWhatWasInserted) {
  VersionSet versions;
  for (const int64_t version : {5, 1, 4, 9, 5}) versions.Insert(Version(version));
  for (int64_t version = 0; version < 12; ++version) {
    EXPECT_EQ(versions.Contains(Version(version)),
              version == 1 || version == 4 || version == 5 || version == 9)
        << version;
  }
}

TEST(VersionSet, HoldsWhatASetHoldsWhateverTheOrder) {
  absl::BitGen random;
  for (int round = 0; round < 40; ++round) {
    VersionSet versions;
    std::set<int64_t> expected;
    for (int i = 0; i < 60; ++i) {
      const auto version = absl::Uniform<int64_t>(absl::IntervalClosed, random, 2, 64);
      if (absl::Bernoulli(random, 0.8)) {
        versions.Insert(Version(version));
        expected.insert(version);
      } else {
        const auto last = absl::Uniform<int64_t>(absl::IntervalClosed, random, version, 64);
        versions.InsertRun(Version(version), Version(last));
        for (int64_t inserted = version; inserted <= last; ++inserted) expected.insert(inserted);
      }
      for (int64_t asked = 0; asked <= 65; ++asked) {
        ASSERT_EQ(versions.Contains(Version(asked)), expected.contains(asked)) << asked;
      }
      int64_t end = 0;
      for (const auto& [first, last] : versions.runs()) {
        ASSERT_GT(first.value(), end + 1) << "runs do not touch";
        end = last.value();
      }
    }
  }
}

}  // namespace
}  // namespace stepwell
