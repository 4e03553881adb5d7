#ifndef STEPWELL_EXAMPLES_DEMO_VITALS_H_
#define STEPWELL_EXAMPLES_DEMO_VITALS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/demo/signals.h"
#include "stepwell/client/client.h"

namespace stepwell::demo {

// What the model is given at one moment.
struct Observation {
  SignalValues x{};
  int64_t slot = 0;  // The second of the minute.
};

// What it answers.
struct Scored {
  client::Version version;  // That the step made; of the pure method `score`, the one that was read.
  float score = 0;          // The largest |z|.
  SignalValues z{};         // How many standard deviations each signal was from what was expected.

  // The signal that made the score.
  int LargestSignal() const;
};

// A part of the model's state.
struct Moments {
  int64_t count = 0;
  SignalValues mean{};
  SignalValues variance{};

  friend bool operator==(const Moments&, const Moments&) = default;
};

// The model `vitals` on a server: each member is one call of the client, with what it needs around it. Errors
// are the client's. Thread-safe.
class Vitals {
 public:
  // `client` must outlive this.
  explicit Vitals(client::Client& client) : client_(client) {}

  // The revision that is served. The error says what to do when there is no server, or no such model.
  absl::StatusOr<int64_t> FindModel(const std::string& address);

  // A new state, the root snapshot of the new branch. ALREADY_EXISTS says which name was taken.
  absl::StatusOr<client::Version> MakeState(const std::string& branch);

  // A new branch whose head is `version`: the versions before it are shared, none is copied.
  absl::Status Fork(const std::string& branch, client::Version version);

  // Scores `observation` and learns from it. `mean`, where given, is set to the array `mean` after the step,
  // which comes in the same reply.
  absl::StatusOr<Scored> Step(const client::StateRef& state, const Observation& observation,
                              SignalValues* mean = nullptr);

  // Scores it and learns nothing: a pure method, which makes no version.
  absl::StatusOr<Scored> Score(const client::StateRef& state, const Observation& observation);

  // State arrays by index.
  absl::StatusOr<Moments> GetMoments(const client::StateRef& state);

 private:
  absl::StatusOr<client::StepResult> Run(const client::StateRef& state, const std::string& method,
                                         const Observation& observation,
                                         std::vector<client::ArraySelector> fetch);

  client::Client& client_;
};

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_VITALS_H_
