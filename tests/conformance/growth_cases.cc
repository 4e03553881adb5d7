// State that grows, of a model that appends a key and a value for each token.
#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kTokenWidth = 64;
constexpr int64_t kRowBytes = 2 * 8 * 128 * 4;  // Of a key and a value.

// Tokens [begin, end) of a text that goes on for ever.
Array Tokens(int64_t begin, int64_t end) {
  std::vector<float> elements;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < kTokenWidth; ++j)
      elements.push_back(static_cast<float>((i * 31 + j * 17) % 97) / 97 - 0.5F);
  }
  return Array::From<float>({end - begin, kTokenWidth}, elements).value();
}

Array Token(int64_t i) {
  const Array row = Tokens(i, i + 1);
  return Array::Unchecked(row.dtype(), Shape::Of({kTokenWidth}), row.data());
}

// A decoder without a token, the head of branch "text".
Version MakeDecoder(Api& api) {
  const auto made = api.MakeState({.model = "attention_decoder", .branch = "text"});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? made->snapshot.version : Version(0);
}

// Steps `state` by token i, which must work.
Api::Stepped StepDecoder(Api& api, const StateRef& state, int64_t i) {
  auto stepped = api.Step({.state = state, .inputs = {{"x", Token(i)}}});
  EXPECT_TRUE(stepped.ok()) << stepped.status();
  return stepped.ok() ? *std::move(stepped) : Api::Stepped();
}

// By tokens [begin, end), one after the other.
Version StepDecoder(Api& api, Version state, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) state = StepDecoder(api, state, i).version;
  return state;
}

NamedArrays ReadDecoder(Api& api, const StateRef& state, std::vector<ArraySelector> selectors = {}) {
  const auto read = api.GetArrays({.state = state, .selectors = std::move(selectors)});
  EXPECT_TRUE(read.ok()) << read.status();
  return read.ok() ? read->arrays : NamedArrays();
}

TEST_P(Conformance, GrowingStateCostsItsRowsAndIsReadWhole) {
  const Version root = MakeDecoder(api());
  const Version ten = StepDecoder(api(), root, 0, 10);
  const auto info = api().GetSnapshot(ten);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->new_bytes, kRowBytes);
  EXPECT_EQ(info->state_bytes, 10 * kRowBytes);
  const NamedArrays whole = ReadDecoder(api(), ten);
  ASSERT_EQ(whole.size(), 2u);
  EXPECT_THAT(whole[0].second.shape().dims(), ElementsAre(10, 8, 128));
  const NamedArrays last = ReadDecoder(api(), ten, {{IndexPath{"v"}, {Slice{.start = -1}}}});
  EXPECT_THAT(last[0].second.shape().dims(), ElementsAre(1, 8, 128));
  EXPECT_TRUE(std::ranges::equal(last[0].second.bytes(), whole[1].second.bytes().last(kRowBytes / 2)));
  EXPECT_THAT(ReadDecoder(api(), root)[0].second.shape().dims(), ElementsAre(0, 8, 128));
}

TEST_P(Conformance, GrowingStateForkedInTheMiddleIsAsTheStraightRun) {
  const Version root = MakeDecoder(api());
  const Version middle = StepDecoder(api(), root, 0, 30);
  std::vector<Array> outputs;
  Version straight = middle;
  for (int64_t i = 30; i < 60; ++i) {
    const Api::Stepped stepped = StepDecoder(api(), straight, i);
    outputs.push_back(stepped.outputs[0].second);
    straight = stepped.version;
  }
  ASSERT_TRUE(api().CreateBranch({.name = "fork", .state = middle}).ok());
  for (int64_t i = 30; i < 60; ++i) {
    EXPECT_EQ(StepDecoder(api(), BranchName{"fork"}, i).outputs[0].second,
              outputs[static_cast<size_t>(i - 30)])
        << i;
  }
  EXPECT_EQ(ReadDecoder(api(), BranchName{"fork"}), ReadDecoder(api(), straight));
}

TEST_P(Conformance, GrowingStateScanAppendsEachStepAndKeepsWhatIsAskedFor) {
  const Version root = MakeDecoder(api());
  const Version straight = StepDecoder(api(), root, 0, 10);
  const auto scanned = api().Scan({.state = BranchName{"text"},
                                   .inputs = {{"x", Tokens(0, 10)}},
                                   .keep_every = 4,
                                   .fetch = {{IndexPath{"k"}, {}}}});
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  ASSERT_EQ(scanned->versions.size(), 3u);
  const std::vector<int64_t> lengths = {4, 8, 10};
  const std::vector<int64_t> added = {4, 4, 2};
  for (size_t i = 0; i < lengths.size(); ++i) {
    const auto info = api().GetSnapshot(scanned->versions[i]);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->new_bytes, added[i] * kRowBytes);
    EXPECT_EQ(info->state_bytes, lengths[i] * kRowBytes);
  }
  EXPECT_EQ(ReadDecoder(api(), scanned->versions.back()), ReadDecoder(api(), straight));
  EXPECT_EQ(scanned->fetched[0].second, ReadDecoder(api(), straight)[0].second);
}

TEST_P(Conformance, GrowingStateStepFetchesTheWholeArrayAlsoOfAStepThatIsNotKept) {
  const Version root = MakeDecoder(api());
  const Version five = StepDecoder(api(), root, 0, 5);
  for (const bool keep : {false, true}) {
    const auto stepped = api().Step(
        {.state = five, .inputs = {{"x", Token(5)}}, .fetch = {{IndexPath{"k"}, {}}}, .keep = keep});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    EXPECT_EQ(stepped->fetched[0].second, ReadDecoder(api(), StepDecoder(api(), root, 0, 6))[0].second);
  }
}

TEST_P(Conformance, GrowingArraysThatAreSetGrowOn) {
  const Version root = MakeDecoder(api());
  const Version five = StepDecoder(api(), root, 0, 5);
  const NamedArrays whole = ReadDecoder(api(), five);
  const auto set = api().SetArrays(
      {.state = root, .arrays = {{IndexPath{"k"}, whole[0].second}, {IndexPath{"v"}, whole[1].second}}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->new_bytes, 5 * kRowBytes);
  const Api::Stepped of_set = StepDecoder(api(), set->version, 5);
  const Api::Stepped straight = StepDecoder(api(), five, 5);
  EXPECT_EQ(of_set.outputs, straight.outputs);
  EXPECT_EQ(ReadDecoder(api(), of_set.version), ReadDecoder(api(), straight.version));
}

TEST_P(Conformance, GrowingStateIsForkedManyTimesByBatchStep) {
  const Version root = MakeDecoder(api());
  const Version five = StepDecoder(api(), root, 0, 5);
  BatchStepRequest request;
  for (int64_t i = 5; i < 15; ++i) request.steps.push_back({.state = five, .inputs = {{"x", Token(i)}}});
  const auto forked = api().BatchStep(request);
  ASSERT_TRUE(forked.ok()) << forked.status();
  for (int64_t i = 5; i < 15; ++i) {
    const auto& fork = (*forked)[static_cast<size_t>(i - 5)];
    ASSERT_TRUE(fork.ok()) << fork.status();
    const Api::Stepped alone = StepDecoder(api(), five, i);
    EXPECT_EQ(fork->outputs, alone.outputs);
    EXPECT_EQ(ReadDecoder(api(), fork->version), ReadDecoder(api(), alone.version));
  }
}

TEST_P(Conformance, GrowingStateRepeatAppendsNothing) {
  MakeDecoder(api());
  StepRequest request{.state = BranchName{"text"},
                      .inputs = {{"x", Token(0)}},
                      .fetch = {{IndexPath{"k"}, {}}},
                      .request_id = "token 0"};
  const auto first = api().Step(request);
  const auto again = api().Step(request);
  ASSERT_TRUE(first.ok() && again.ok()) << first.status() << again.status();
  EXPECT_EQ(again->version, first->version);
  EXPECT_EQ(again->outputs, first->outputs);
  EXPECT_EQ(again->fetched, first->fetched);
  EXPECT_THAT(ReadDecoder(api(), BranchName{"text"})[0].second.shape().dims(), ElementsAre(1, 8, 128));
}

}  // namespace
}  // namespace stepwell::testing
