// memory.listing: what the process grows by while two million versions are listed page by page.
// versions.1M: a Step of `counter`, in-process, where a million versions are retained, against the same where
// a thousand are. memory.version: what a retained version of `counter` takes, against the bytes of its array.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/measures.h"
#include "bench/resident_bytes.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::bench {
namespace {

constexpr int kManyVersions = 1'000'000;
constexpr int kFewVersions = 1'000;
constexpr int kStepsPerSample = 200;  // Of one sample of the time.
constexpr int kListedVersions = 2'000'000;
constexpr int kMeasuredVersions = 200'000;  // Of one sample of the memory.

// Steps a counter on and on, each time from the version made last.
class Counter {
 public:
  static absl::StatusOr<std::unique_ptr<Counter>> Make() {
    auto counter = std::make_unique<Counter>();
    const absl::Status loaded = counter->models_.Load("counter").status();
    if (!loaded.ok()) return loaded;
    const auto made = Await(counter->engine_, &Engine::MakeState, {.model = "counter"});
    if (!made.ok()) return made.status();
    counter->versions_.push_back(made->snapshot->version());
    return counter;
  }

  Counter() : models_({.root = STEPWELL_BENCH_MODELS}), engine_({}, &store_, &models_, &clock_) {}

  // Room for the numbers of `count` versions.
  void ReserveVersions(size_t count) { versions_.reserve(count); }

  absl::Status Step(int count) {
    for (int i = 0; i < count; ++i) {
      const auto stepped =
          Await(engine_, &Engine::Step, {.state = versions_.back(), .inputs = {{"x", one_}}});
      if (!stepped.ok()) return stepped.status();
      versions_.push_back(stepped->snapshot->version());
    }
    return absl::OkStatus();
  }

  // Lists every version, page by page, and both ways; the most that the process held in memory meanwhile.
  absl::StatusOr<int64_t> ListAll() {
    int64_t most = 0;
    for (const auto& of :
         {std::variant<StateRef, ListSnapshotsRequest::Model>(StateRef(versions_.back())),
          std::variant<StateRef, ListSnapshotsRequest::Model>(ListSnapshotsRequest::Model{"counter"})}) {
      ListSnapshotsRequest request{.of = of, .limit = 1000};
      size_t listed = 0;
      do {
        const auto page = Await(engine_, &Engine::ListSnapshots, request);
        if (!page.ok()) return page.status();
        const int64_t resident = ResidentBytes();
        most = std::max(most, resident);
        listed += page->snapshots.size();
        request.after = page->next_after;
      } while (request.after.has_value());
      if (listed != versions_.size())
        return absl::InternalError(absl::StrCat("listed ", listed, " versions"));
    }
    return most;
  }

  // Deletes the oldest versions, so that `count` are retained.
  absl::Status Retain(size_t count) {
    if (versions_.size() <= count) return absl::OkStatus();
    const auto kept = versions_.end() - static_cast<ptrdiff_t>(count);
    const auto deleted = Await(engine_, &Engine::DeleteSnapshots, {.versions = {versions_.begin(), kept}});
    versions_.erase(versions_.begin(), kept);
    return deleted.status();
  }

 private:
  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
  const Array one_ = Array::Scalar<int32_t>(1);
  std::vector<Version> versions_;  // That are retained, oldest first.
};

class ManyVersions final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    absl::StatusOr<std::unique_ptr<Counter>> many = Counter::Make();
    if (!many.ok()) return many.status();
    absl::StatusOr<std::unique_ptr<Counter>> few = Counter::Make();
    if (!few.ok()) return few.status();
    for (const absl::Status& stepped : {(*many)->Step(kManyVersions), (*few)->Step(kFewVersions)}) {
      if (!stepped.ok()) return stepped;
    }
    return std::make_unique<ManyVersions>(*std::move(many), *std::move(few));
  }

  ManyVersions(std::unique_ptr<Counter> many, std::unique_ptr<Counter> few)
      : many_(std::move(many)), few_(std::move(few)) {}

  absl::StatusOr<double> Ours() override { return MicrosPerStep(*many_, kManyVersions); }
  absl::StatusOr<double> Ceiling() override { return MicrosPerStep(*few_, kFewVersions); }

 private:
  static absl::StatusOr<double> MicrosPerStep(Counter& counter, size_t retained) {
    const absl::Time begin = absl::Now();
    const absl::Status stepped = counter.Step(kStepsPerSample);
    const absl::Duration taken = absl::Now() - begin;
    if (!stepped.ok()) return stepped;
    const absl::Status deleted = counter.Retain(retained);
    if (!deleted.ok()) return deleted;
    return absl::ToDoubleMicroseconds(taken) / kStepsPerSample;
  }

  const std::unique_ptr<Counter> many_;
  const std::unique_ptr<Counter> few_;
};

class VersionMemory final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    absl::StatusOr<std::unique_ptr<Counter>> counter = Counter::Make();
    if (!counter.ok()) return counter.status();
    (*counter)->ReserveVersions(10 * kMeasuredVersions);
    // Fills the cache in front of the store, whose size does not depend on how many versions are retained.
    const absl::Status stepped = (*counter)->Step(kMeasuredVersions);
    if (!stepped.ok()) return stepped;
    return std::make_unique<VersionMemory>(*std::move(counter));
  }

  explicit VersionMemory(std::unique_ptr<Counter> counter) : counter_(std::move(counter)) {}

  absl::StatusOr<double> Ours() override {
    const int64_t before = ResidentBytesInUse();
    const absl::Status stepped = counter_->Step(kMeasuredVersions);
    if (!stepped.ok()) return stepped;
    const int64_t after = ResidentBytesInUse();
    // The numbers that this keeps of them are not the store's.
    return static_cast<double>(after - before) / kMeasuredVersions - sizeof(Version);
  }
  absl::StatusOr<double> Ceiling() override { return sizeof(int32_t); }

 private:
  const std::unique_ptr<Counter> counter_;
};

class ListingMemory final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    absl::StatusOr<std::unique_ptr<Counter>> counter = Counter::Make();
    if (!counter.ok()) return counter.status();
    const absl::Status stepped = (*counter)->Step(kListedVersions);
    if (!stepped.ok()) return stepped;
    ResidentBytesInUse();  // From here on, what listing takes is not hidden in memory that was freed.
    return std::make_unique<ListingMemory>(*std::move(counter));
  }

  explicit ListingMemory(std::unique_ptr<Counter> counter) : counter_(std::move(counter)) {}

  absl::StatusOr<double> Ours() override {
    const absl::StatusOr<int64_t> most = counter_->ListAll();
    if (!most.ok()) return most.status();
    return static_cast<double>(*most) / (1 << 20);
  }
  absl::StatusOr<double> Ceiling() override { return static_cast<double>(ResidentBytes()) / (1 << 20); }

 private:
  const std::unique_ptr<Counter> counter_;
};

}  // namespace

std::vector<MeasureInfo> VersionMeasures() {
  return {{.id = "versions.1M",
           .title = "Step with 1,000,000 versions retained; with 1,000",
           .unit = "us",
           .is_cost = true,
           .goal = {Goal::Kind::kRatioAtLeast, 1 / 1.1},
           .rounds = 501,
           .make = ManyVersions::Make},
          {.id = "memory.version",
           .title = "resident bytes of a retained version; of its array",
           .unit = "B",
           .is_cost = true,
           .goal = {Goal::Kind::kAtMostOver, 300},
           .rounds = 5,
           .make = VersionMemory::Make},
          {.id = "memory.listing",
           .title = "resident memory while 2,000,000 versions are listed; before",
           .unit = "MiB",
           .is_cost = true,
           .goal = {Goal::Kind::kAtMostOver, 8},
           .rounds = 1,
           .make = ListingMemory::Make}};
}

}  // namespace stepwell::bench
