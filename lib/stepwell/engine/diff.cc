#include "stepwell/engine/diff.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/algorithm/container.h"
#include "stepwell/array/difference.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/selection.h"

namespace stepwell {
namespace {

// Comparing more than this is left to a worker.
constexpr int64_t kMaxInlineCompare = int64_t{32} << 10;

bool IsKnown(const ArrayType& type) { return !absl::c_linear_search(type.dims, Dim::kDynamic); }

absl::StatusOr<std::vector<int>> Positions(const StateSpec& spec, const std::optional<Index>& index) {
  if (index.has_value()) return ResolvePositions(spec, *index);
  std::vector<int> all;
  for (int position = 0; position < spec.size(); ++position) all.push_back(position);
  return all;
}

}  // namespace

const Array* Diff::Side::Find(int position) const {
  const auto at = static_cast<size_t>(position);
  if (cached != nullptr) return &cached->arrays()[at];
  return read[at].has_value() ? &*read[at] : nullptr;
}

ArrayType Diff::Side::TypeOf(int position) const {
  if (const Array* array = Find(position)) {
    return {array->dtype(), {array->shape().dims().begin(), array->shape().dims().end()}};
  }
  const TensorSpec& tensor = (*spec)[position].tensor;
  ArrayType type{tensor.dtype, {}};
  for (const Dim& dim : tensor.dims) type.dims.push_back(dim.extent);
  return type;
}

void Diff::Open(Side& side, void (Diff::*next)()) {
  side.cached = context_.cache->Find(side.version);
  if (side.cached != nullptr) {
    side.record = std::shared_ptr<const SnapshotRecord>(side.cached, &side.cached->record());
    return (this->*next)();
  }
  context_.store->ReadSnapshot(
      side.version,
      [self = shared_from_this(), &side, next](absl::StatusOr<std::shared_ptr<const SnapshotRecord>> record) {
        if (!record.ok()) return self->End(record.status());
        side.record = *std::move(record);
        side.read.resize(side.record->writers.size());
        (self.get()->*next)();
      });
}

void Diff::Choose() {
  for (Side* side : {&from_, &to_}) {
    const SnapshotOrigin& origin = *side->record->origin;
    absl::StatusOr<std::shared_ptr<const StateSpec>> spec =
        context_.models->FindStateSpec(origin.model, origin.revision);
    if (!spec.ok()) return End(spec.status());
    side->spec = *std::move(spec);
  }
  const absl::Status chosen = ChoosePairs();
  if (!chosen.ok()) return End(chosen);
  for (const Pair& pair : pairs_) ChooseReads(pair);
  Read();
}

void Diff::ChooseReads(const Pair& pair) {
  if (IsShared(pair)) return;
  const auto is_known = [](const Side& side, const std::optional<int>& position) {
    return !position.has_value() || IsKnown(side.TypeOf(*position));
  };
  const bool is_comparable = pair.from.has_value() && pair.to.has_value() &&
                             from_.TypeOf(*pair.from).dims == to_.TypeOf(*pair.to).dims;
  if (is_known(from_, pair.from) && is_known(to_, pair.to) && !is_comparable) return;
  const auto read = [this](Side& side, const std::optional<int>& position) {
    if (position.has_value() && side.Find(*position) == nullptr) to_be_read_.emplace_back(&side, *position);
  };
  read(from_, pair.from);
  read(to_, pair.to);
}

absl::Status Diff::ChoosePairs() {
  const bool by_position =
      request_.index.has_value() && std::holds_alternative<IndexPosition>(*request_.index);
  const absl::StatusOr<std::vector<int>> in_to = Positions(*to_.spec, request_.index);
  // A position is one of `to`'s state spec; a path may be in either.
  const absl::StatusOr<std::vector<int>> in_from =
      by_position ? std::vector<int>() : Positions(*from_.spec, request_.index);
  if (!in_to.ok() && (!absl::IsNotFound(in_to.status()) || !in_from.ok())) return in_to.status();
  if (in_to.ok()) {
    for (const int position : *in_to) {
      const Pair pair{from_.spec->Find((*to_.spec)[position].tensor.name), position};
      if (request_.include_same || !IsShared(pair)) pairs_.push_back(pair);
    }
  }
  if (in_from.ok()) {
    for (const int position : *in_from) {
      if (!to_.spec->Find((*from_.spec)[position].tensor.name)) pairs_.push_back({position, std::nullopt});
    }
  }
  return absl::OkStatus();
}

bool Diff::IsShared(const Pair& pair) const {
  // An array's identity is who wrote it, and at which position.
  return pair.from.has_value() && pair.from == pair.to &&
         from_.record->writers[static_cast<size_t>(*pair.from)] ==
             to_.record->writers[static_cast<size_t>(*pair.to)];
}

void Diff::Read() {
  {
    absl::MutexLock lock(&mutex_);
    unread_ = to_be_read_.size() + 1;  // One for this function, which ends after the last read was asked for.
  }
  for (const auto& [side, position] : to_be_read_) {
    std::optional<Array>& place = side->read[static_cast<size_t>(position)];
    context_.store->ReadArray(side->record->writers[static_cast<size_t>(position)], position,
                              [self = shared_from_this(), &place](absl::StatusOr<Array> array) {
                                self->OnRead(place, std::move(array));
                              });
  }
  FinishRead();
}

void Diff::OnRead(std::optional<Array>& place, absl::StatusOr<Array> array) {
  if (array.ok()) {
    place = *std::move(array);
  } else {
    absl::MutexLock lock(&mutex_);
    read_status_ = array.status();
  }
  FinishRead();
}

void Diff::FinishRead() {
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (--unread_ > 0) return;
    status = read_status_;
  }
  if (!status.ok()) return End(status);
  CompareHereOrOnPool();
}

void Diff::CompareHereOrOnPool() {
  int64_t bytes = 0;
  for (const Pair& pair : pairs_) {
    if (!pair.from.has_value() || !pair.to.has_value() || IsShared(pair)) continue;
    const Array* const from = from_.Find(*pair.from);
    const Array* const to = to_.Find(*pair.to);
    if (from == nullptr || to == nullptr || from->bytes().data() == to->bytes().data()) continue;
    bytes += std::min(from->byte_count(), to->byte_count());
  }
  if (bytes <= kMaxInlineCompare) return Compare();
  WorkerPool::Task compare = [self = shared_from_this()] { self->Compare(); };
  if (!context_.pool->TrySchedule(compare)) End(QueueFull("the workers' queue", context_.max_queued));
}

void Diff::Compare() {
  DiffSnapshotsResult result{.from = from_.version, .to = to_.version};
  for (const Pair& pair : pairs_) {
    // Each may be large: nobody waits for the rest of them once the caller has gone.
    const absl::Status waits = request_.call.Check();
    if (!waits.ok()) return End(waits);
    ArrayDiff diff = DiffOf(pair);
    if (diff.kind != ArrayDiff::Kind::kSame || request_.include_same)
      result.arrays.push_back(std::move(diff));
  }
  End(std::move(result));
}

ArrayDiff Diff::DiffOf(const Pair& pair) const {
  ArrayDiff diff;
  if (!pair.from.has_value()) {
    diff.kind = ArrayDiff::Kind::kAdded;
    diff.index = (*to_.spec)[*pair.to].tensor.name;
    diff.to = to_.TypeOf(*pair.to);
    return diff;
  }
  diff.index = (*from_.spec)[*pair.from].tensor.name;
  diff.from = from_.TypeOf(*pair.from);
  if (!pair.to.has_value()) {
    diff.kind = ArrayDiff::Kind::kRemoved;
    return diff;
  }
  diff.to = to_.TypeOf(*pair.to);
  if (IsShared(pair)) {
    // It is one array, of which one side may know more.
    if (IsKnown(*diff.from)) {
      diff.to = diff.from;
    } else {
      diff.from = diff.to;
    }
    diff.kind = ArrayDiff::Kind::kSame;
    diff.difference = Difference();
    return diff;
  }
  diff.kind = ArrayDiff::Kind::kChanged;
  if (diff.from->dims != diff.to->dims) return diff;
  const Array& from = *from_.Find(*pair.from);
  const Array& to = *to_.Find(*pair.to);
  if (from == to) {
    diff.kind = ArrayDiff::Kind::kSame;
    diff.difference = Difference();
  } else {
    diff.difference = AbsDifference(from, to);
  }
  return diff;
}

}  // namespace stepwell
