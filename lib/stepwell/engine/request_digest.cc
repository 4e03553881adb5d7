#include "stepwell/engine/request_digest.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "stepwell/base/sha256.h"

namespace stepwell {
namespace {

// Takes values in one after the other, each so that no other value reads the same.
class Digester {
 public:
  // `what` tells requests of different kinds apart.
  explicit Digester(absl::string_view what) { Add(what); }

  template <typename... Values>
  std::string Finish(const Values&... values) {
    (Add(values), ...);
    return sha256_.Finish();
  }

 private:
  void Add(int64_t value) {
    char bytes[8];
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xff);
      value >>= 8;
    }
    sha256_.Add({bytes, sizeof(bytes)});
  }
  void Add(uint64_t value) { Add(static_cast<int64_t>(value)); }
  void Add(bool value) { Add(int64_t{value}); }
  void Add(absl::string_view text) {
    Add(static_cast<int64_t>(text.size()));
    sha256_.Add(text);
  }
  void Add(const std::string& text) { Add(absl::string_view(text)); }
  void Add(absl::Time time) { Add(absl::FormatDuration(time - absl::UnixEpoch())); }
  void Add(Version version) { Add(version.value()); }
  void Add(absl::Duration duration) { Add(absl::FormatDuration(duration)); }
  void Add(const RetentionPolicy& policy) {
    Add(policy.keep_last);
    Add(policy.keep_every);
    Add(policy.max_age);
  }
  void Add(const SameRevision& /*revision*/) {}
  void Add(const NewestRevision& /*revision*/) {}
  void Add(const BranchName& branch) { Add(branch.value); }
  void Add(const IndexPath& path) { Add(path.value); }
  void Add(const IndexPosition& position) { Add(position.value); }
  void Add(const IndexSubtree& subtree) { Add(subtree.value); }
  void Add(const Slice& slice) {
    Add(slice.start);
    Add(slice.stop);
    Add(slice.step);
  }
  void Add(const ArraySelector& selector) {
    Add(selector.index);
    Add(selector.slices);
  }
  void Add(const MovedHistory::Revision& revision) {
    Add(revision.number);
    Add(revision.digest);
  }
  void Add(const MovedArray& moved) {
    Add(moved.index);
    Add(moved.array);
    Add(moved.appends);
  }
  void Add(const Array& array) {
    Add(static_cast<int64_t>(array.dtype()));
    Add(array.shape().dims());
    Add(absl::string_view(reinterpret_cast<const char*>(array.bytes().data()), array.bytes().size()));
  }
  template <typename First, typename Second>
  void Add(const std::pair<First, Second>& pair) {
    Add(pair.first);
    Add(pair.second);
  }
  template <typename T>
  void Add(const std::optional<T>& value) {
    Add(value.has_value());
    if (value.has_value()) Add(*value);
  }
  template <typename... Alternatives>
  void Add(const std::variant<Alternatives...>& value) {
    Add(static_cast<int64_t>(value.index()));
    std::visit([this](const auto& alternative) { this->Add(alternative); }, value);
  }
  // Of containers.
  template <typename Values>
  auto Add(const Values& values) -> decltype(values.begin(), void()) {
    Add(static_cast<int64_t>(values.size()));
    for (const auto& value : values) Add(value);
  }

  Sha256 sha256_;
};

}  // namespace

std::string DigestOf(const MakeStateRequest& request) {
  return Digester("MakeState")
      .Finish(request.model, request.revision, request.arrays, request.rng_seed, request.branch,
              request.labels);
}

std::string DigestOf(const StepRequest& request) {
  return Digester("Step").Finish(request.state, request.method, request.inputs, request.output_names,
                                 request.fetch, request.keep, request.check_finite, request.revision,
                                 request.adapt_state, request.expected_head, request.labels);
}

std::string DigestOf(const BatchStepRequest& request) {
  std::vector<std::string> steps;
  steps.reserve(request.steps.size());
  for (const StepRequest& step : request.steps) steps.push_back(DigestOf(step));
  return Digester("BatchStep").Finish(steps, request.all_or_nothing);
}

std::string DigestOf(const ScanRequest& request) {
  return Digester("Scan").Finish(request.state, request.method, request.inputs, request.step_count,
                                 request.output_names, request.keep_every, request.fetch,
                                 request.check_finite, request.revision, request.adapt_state,
                                 request.expected_head, request.labels);
}

std::string DigestOf(const SetArraysRequest& request) {
  return Digester("SetArrays")
      .Finish(request.state, request.arrays, request.revision, request.adapt_state, request.expected_head,
              request.labels);
}

std::string DigestOf(const UpdateSnapshotRequest& request) {
  return Digester("UpdateSnapshot").Finish(request.version, request.labels, request.pinned);
}

std::string DigestOf(const DeleteSnapshotsRequest& request) {
  return Digester("DeleteSnapshots").Finish(request.versions);
}

std::string DigestOf(const CreateBranchRequest& request) {
  return Digester("CreateBranch")
      .Finish(request.name, request.state, request.labels, request.expire_time, request.retention);
}

std::string DigestOf(const UpdateBranchRequest& request) {
  return Digester("UpdateBranch")
      .Finish(request.name, request.head, request.expected_head, request.labels, request.expire_time,
              request.retention);
}

std::string DigestOf(const DeleteBranchRequest& request) {
  return Digester("DeleteBranch").Finish(request.name, request.expected_head);
}

std::string DigestOf(const ImportSnapshotsRequest& request) {
  const MovedHistory& history = request.history;
  return Digester("ImportSnapshots")
      .Finish(history.model, history.revisions, history.snapshot_count, request.branch, request.revision,
              request.adapt_state);
}

std::string DigestOf(const MovedSnapshot& snapshot) {
  return Digester("MovedSnapshot")
      .Finish(snapshot.version, snapshot.revision, snapshot.method, snapshot.create_time, snapshot.labels,
              snapshot.step_count, snapshot.pinned, snapshot.arrays);
}

}  // namespace stepwell
