// Two threads that add to one count: `counts race` without a lock, `counts mutex` under an absl::Mutex. Shows
// that the thread sanitizer sees the one and understands the other.
#include <cstdio>
#include <string_view>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace {

constexpr int kAdditions = 10'000;

int racing = 0;

absl::Mutex mutex(absl::kConstInit);
int guarded ABSL_GUARDED_BY(mutex) = 0;

void Race() {
  for (int i = 0; i < kAdditions; ++i) ++racing;
}

void TakeTurns() {
  for (int i = 0; i < kAdditions; ++i) {
    absl::MutexLock lock(&mutex);
    ++guarded;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view how = argc == 2 ? argv[1] : "";
  if (how != "race" && how != "mutex") {
    std::fprintf(stderr, "usage: counts race|mutex\n");
    return 2;
  }
  void (*const add)() = how == "race" ? &Race : &TakeTurns;
  std::thread first(add), second(add);
  first.join();
  second.join();
  absl::MutexLock lock(&mutex);
  return how == "mutex" && guarded != 2 * kAdditions ? 1 : 0;
}
