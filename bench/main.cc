// stepwell_bench: measures Stepwell, each measure in turns with its ceiling. `stepwell_bench --help` says
// how.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bench/interleave.h"
#include "bench/measures.h"
#include "bench/report.h"

namespace stepwell::bench {
namespace {

constexpr int kExitGoalMissed = 1;
constexpr int kExitFailed = 2;

std::vector<MeasureInfo> AllMeasures() {
  std::vector<MeasureInfo> all;
  for (std::vector<MeasureInfo> some :
       {UnaryMeasures(), StreamMeasures(), EngineMeasures(), BatchMeasures(), VersionMeasures(),
        GrowingMeasures(), FetchMeasures(), DurableMeasures(), DiskMeasures()}) {
    std::ranges::move(some, std::back_inserter(all));
  }
  return all;
}

absl::StatusOr<Result> Run(const MeasureInfo& info) {
  absl::StatusOr<std::unique_ptr<Measure>> measure = info.make();
  if (!measure.ok()) return measure.status();
  const absl::StatusOr<std::vector<Sample>> samples = Interleave(**measure, info.rounds);
  if (!samples.ok()) return samples.status();
  return Judge(info, *samples);
}

int Fail(const std::string& why) {
  std::cerr << "stepwell_bench: " << why << "\n";
  return kExitFailed;
}

int Main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // As stepwelld does.
  CLI::App app(
      "Measures Stepwell, each measure in turns with its ceiling: the same work without Stepwell.\n"
      "docs/benchmarks.md says what is compared and how to read the table.",
      "stepwell_bench");
  std::vector<std::string> names;
  std::string json_file;
  bool list = false;
  app.add_option("NAME", names, "An id of a measure or a prefix of ids. None: every measure");
  app.add_option("--json", json_file, "Where to write the results as JSON")->type_name("FILE");
  app.add_flag("--list", list, "Print the ids and what they measure, and measure nothing");
  app.footer(
      "Exits with 0 when every goal holds, 1 when one does not, 2 when something could not be measured.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return Fail(absl::StrCat(error.what(), "; see stepwell_bench --help"));
    return app.exit(error);
  }
  const absl::StatusOr<std::vector<MeasureInfo>> selected = Select(AllMeasures(), names);
  if (!selected.ok()) return Fail(std::string(selected.status().message()));

  std::vector<Result> results;
  for (const MeasureInfo& info : *selected) {
    if (list) {
      std::cout << info.id << ": " << info.title << "\n";
      continue;
    }
    std::cerr << "measuring " << info.id << "\n";
    const absl::StatusOr<Result> result = Run(info);
    if (!result.ok()) return Fail(absl::StrCat(info.id, ": ", result.status().ToString()));
    results.push_back(*result);
  }
  if (list) return 0;
  std::cout << Table(results);
  if (!json_file.empty() && !(std::ofstream(json_file) << Json(results)).flush()) {
    return Fail(absl::StrCat("cannot write ", json_file));
  }
  return std::ranges::all_of(results, &Result::holds) ? 0 : kExitGoalMissed;
}

}  // namespace
}  // namespace stepwell::bench

int main(int argc, char** argv) { return stepwell::bench::Main(argc, argv); }
