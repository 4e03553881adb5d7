#ifndef STEPWELL_BENCH_COUNTER_STEPS_H_
#define STEPWELL_BENCH_COUNTER_STEPS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::bench {

// Steps of new states of `counter`, each the first of its stream, and the bytes of a reply to one of them.
struct CounterSteps {
  std::vector<v1::StepRequest> requests;
  std::string reply;
};

// Makes `count` states.
absl::StatusOr<CounterSteps> MakeCounters(v1::StateService::Stub& stub, int count);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_COUNTER_STEPS_H_
