// embedded MODELS: steps the model "counter" of that folder in this process.
#include <iostream>

#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/memory_store.h"

int main(int argc, char** argv) {
  using namespace stepwell;
  if (argc != 2) return 2;
  const SystemClock clock;
  MemoryStore store;
  ModelRepository models({.root = argv[1]});
  const auto loaded = models.Load("counter");
  if (!loaded.ok()) {
    std::cerr << loaded.status() << "\n";
    return 1;
  }
  Engine engine({}, &store, &models, &clock);
  const auto made = Await(engine, &Engine::MakeState, {.model = "counter"});
  if (!made.ok()) {
    std::cerr << made.status() << "\n";
    return 1;
  }
  const auto stepped =
      Await(engine, &Engine::Step,
            {.state = made->snapshot->version(), .inputs = {{"x", Array::Scalar<int32_t>(5)}}});
  if (!stepped.ok()) {
    std::cerr << stepped.status() << "\n";
    return 1;
  }
  const int32_t count = stepped->snapshot->arrays()[0].As<int32_t>().value()[0];
  std::cout << "count is " << count << "\n";
  return count == 5 ? 0 : 1;
}
