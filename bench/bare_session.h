#ifndef STEPWELL_BENCH_BARE_SESSION_H_
#define STEPWELL_BENCH_BARE_SESSION_H_

#include <onnxruntime_cxx_api.h>

#include <filesystem>

namespace stepwell::bench {

inline Ort::Env& BareEnvironment() {
  static Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "bench");
  return environment;
}

// A session of the graph in `file`, with the settings of Stepwell's own. Throws Ort::Exception.
inline Ort::Session MakeBareSession(const std::filesystem::path& file) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.DisableCpuMemArena();
  return Ort::Session(BareEnvironment(), file.c_str(), options);
}

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_BARE_SESSION_H_
