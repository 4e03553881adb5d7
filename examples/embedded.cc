// Steps the model "counter" in this process, without a server.
//
//   embedded MODELS              a folder of model packages, "counter" among them
#include <cstdlib>
#include <iostream>

#include "stepwell/base/clock.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/memory_store.h"

namespace {

using stepwell::Array;
using stepwell::Await;
using stepwell::Engine;

absl::Status Run(const char* models_dir) {
  // The engine stands on these and ends before them.
  const stepwell::SystemClock clock;
  stepwell::MemoryStore store;
  stepwell::ModelRepository models({.root = models_dir});
  const auto model = models.Load("counter");
  if (!model.ok()) return model.status();
  Engine engine({}, &store, &models, &clock);

  const auto made = Await(engine, &Engine::MakeState, {.model = "counter", .branch = "live"});
  if (!made.ok()) return made.status();

  for (int32_t x = 1; x <= 3; ++x) {
    const auto stepped =
        Await(engine, &Engine::Step,
              {.state = stepwell::BranchName{"live"}, .inputs = {{"x", Array::Scalar<int32_t>(x)}}});
    if (!stepped.ok()) return stepped.status();
    // The snapshot holds its arrays by reference, in the order of the state spec.
    const auto count = stepped->snapshot->arrays()[0].As<int32_t>();
    if (!count.ok()) return count.status();
    std::cout << "version " << stepped->snapshot->version().value() << ": count " << count->at(0) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embedded MODELS\n";
    return 2;
  }
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
