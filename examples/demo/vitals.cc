#include "examples/demo/vitals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace stepwell::demo {
namespace {

using client::IndexPath;
using client::NamedArrays;

constexpr char kModel[] = "vitals";
constexpr char kStartServer[] = "stepwelld --models examples/models";

// The elements of the array `name`; INTERNAL where the server sent another thing than the model promises.
template <typename T, size_t N>
absl::Status Take(const NamedArrays& arrays, const std::string& name, std::array<T, N>& to) {
  const auto found =
      std::find_if(arrays.begin(), arrays.end(), [&](const auto& named) { return named.first == name; });
  if (found == arrays.end())
    return absl::InternalError(absl::StrCat("the server sent no array \"", name, "\""));
  const absl::StatusOr<absl::Span<const T>> elements = found->second.template As<T>();
  if (!elements.ok()) return elements.status();
  if (elements->size() != N) {
    return absl::InternalError(
        absl::StrCat("array \"", name, "\" has ", elements->size(), " elements; expected ", N));
  }
  std::copy(elements->begin(), elements->end(), to.begin());
  return absl::OkStatus();
}

absl::StatusOr<Scored> ToScored(const client::StepResult& result) {
  Scored scored{.version = result.version};
  std::array<float, 1> score{};
  absl::Status taken = Take(result.outputs, "score", score);
  if (taken.ok()) taken = Take(result.outputs, "z", scored.z);
  if (!taken.ok()) return taken;
  scored.score = score[0];
  return scored;
}

}  // namespace

int Scored::LargestSignal() const {
  const auto largest =
      std::max_element(z.begin(), z.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
  return static_cast<int>(largest - z.begin());
}

absl::StatusOr<int64_t> Vitals::FindModel(const std::string& address) {
  const absl::StatusOr<v1::ModelInfo> model = client_.GetModel(kModel);
  if (model.ok() && model->revision() > 0) return model->revision();
  if (model.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("the server at ", address, " has the model \"", kModel,
                                                      "\" ", v1::ModelInfo::State_Name(model->state()),
                                                      "; expected READY. ", model->error()));
  }
  if (client::ErrorReason(model.status()) == "MODEL_NOT_FOUND") {
    return absl::NotFoundError(absl::StrCat("the server at ", address, " has no model \"", kModel,
                                            "\"; start it on the folder that has: ", kStartServer));
  }
  if (absl::IsUnavailable(model.status())) {
    return absl::UnavailableError(
        absl::StrCat("no server answers at ", address, "; start one: ", kStartServer,
                     ", or name another with --server (", model.status().message(), ")"));
  }
  return model.status();
}

absl::StatusOr<client::Version> Vitals::MakeState(const std::string& branch) {
  const absl::StatusOr<v1::MakeStateResponse> made = client_.MakeState({.model = kModel, .branch = branch});
  if (client::ErrorReason(made.status()) == "BRANCH_EXISTS") {
    return absl::AlreadyExistsError(
        absl::StrCat("branch \"", branch, "\" exists; name another with --branch, or none"));
  }
  if (!made.ok()) return made.status();
  return client::Version{made->snapshot().version()};
}

absl::Status Vitals::Fork(const std::string& branch, client::Version version) {
  return client_.CreateBranch({.name = branch, .state = version}).status();
}

absl::StatusOr<client::StepResult> Vitals::Run(const client::StateRef& state, const std::string& method,
                                               const Observation& observation,
                                               std::vector<client::ArraySelector> fetch) {
  absl::StatusOr<Array> x = Array::From<float>({kSignalCount}, observation.x);
  if (!x.ok()) return x.status();
  return client_.Step({.state = state,
                       .method = method,
                       .inputs = {{"x", *std::move(x)}, {"slot", Array::Scalar(observation.slot)}},
                       .fetch = std::move(fetch)});
}

absl::StatusOr<Scored> Vitals::Step(const client::StateRef& state, const Observation& observation,
                                    SignalValues* mean) {
  std::vector<client::ArraySelector> fetch;
  if (mean != nullptr) fetch.push_back({IndexPath{"mean"}, {}});
  const absl::StatusOr<client::StepResult> result = Run(state, "step", observation, std::move(fetch));
  if (!result.ok()) return result.status();
  if (mean != nullptr) {
    const absl::Status taken = Take(result->fetched, "mean", *mean);
    if (!taken.ok()) return taken;
  }
  return ToScored(*result);
}

absl::StatusOr<Scored> Vitals::Score(const client::StateRef& state, const Observation& observation) {
  const absl::StatusOr<client::StepResult> result = Run(state, "score", observation, {});
  if (!result.ok()) return result.status();
  return ToScored(*result);
}

absl::StatusOr<Moments> Vitals::GetMoments(const client::StateRef& state) {
  const absl::StatusOr<client::GetArraysResult> result = client_.GetArrays(
      {.state = state,
       .selectors = {{IndexPath{"count"}, {}}, {IndexPath{"mean"}, {}}, {IndexPath{"variance"}, {}}}});
  if (!result.ok()) return result.status();
  Moments moments;
  std::array<int64_t, 1> count{};
  for (const absl::Status& taken :
       {Take(result->arrays, "count", count), Take(result->arrays, "mean", moments.mean),
        Take(result->arrays, "variance", moments.variance)}) {
    if (!taken.ok()) return taken;
  }
  moments.count = count[0];
  return moments;
}

}  // namespace stepwell::demo
