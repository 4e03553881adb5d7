#include "bench/counter_steps.h"

#include "bench/load.h"
#include "bench/servers.h"
#include "stepwell/v1/array.pb.h"

namespace stepwell::bench {
namespace {

v1::StepRequest StepOfCounter(int64_t version) {
  v1::StepRequest request;
  request.mutable_state()->set_version(version);
  v1::NamedArray& x = *request.add_inputs();
  x.set_name("x");
  x.mutable_array()->set_dtype(v1::INT32);
  x.mutable_array()->set_data(std::string("\1\0\0\0", 4));
  return request;
}

}  // namespace

absl::StatusOr<CounterSteps> MakeCounters(v1::StateService::Stub& stub, int count) {
  CounterSteps steps;
  for (int i = 0; i < count; ++i) {
    const absl::StatusOr<int64_t> version = MakeState(stub, "counter");
    if (!version.ok()) return version.status();
    steps.requests.push_back(StepOfCounter(*version));
  }
  grpc::ClientContext context;
  v1::StepResponse reply;
  const grpc::Status stepped = stub.Step(&context, steps.requests[0], &reply);
  if (!stepped.ok()) return FromGrpc("Step", stepped);
  reply.set_version(1 << 20);  // As many bytes as versions have once some steps are made.
  steps.reply = reply.SerializeAsString();
  return steps;
}

}  // namespace stepwell::bench
