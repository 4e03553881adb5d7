#include <google/protobuf/timestamp.pb.h>

#include "absl/strings/str_cat.h"
#include "stepwell/client/client.h"
#include "stepwell/storage/testing/temporary_directory.h"
#include "tests/conformance/api.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

// From the engine's words to the client's, and back.

client::Version ToClient(Version version) { return {version.value()}; }

client::StateRef ToClient(const StateRef& state) {
  if (const auto* version = std::get_if<Version>(&state)) return ToClient(*version);
  return client::BranchName{std::get<BranchName>(state).value};
}

client::Labels ToClient(const Labels& labels) { return {labels.begin(), labels.end()}; }

client::RetentionPolicy ToClient(const RetentionPolicy& policy) {
  return {.keep_last = policy.keep_last, .keep_every = policy.keep_every, .max_age = policy.max_age};
}

client::Index ToClient(const Index& index) {
  if (const auto* path = std::get_if<IndexPath>(&index)) return client::IndexPath{path->value};
  if (const auto* position = std::get_if<IndexPosition>(&index)) {
    return client::IndexPosition{static_cast<int>(position->value)};
  }
  return client::IndexSubtree{std::get<IndexSubtree>(index).value};
}

std::vector<client::ArraySelector> ToClient(const std::vector<ArraySelector>& selectors) {
  std::vector<client::ArraySelector> all;
  for (const ArraySelector& selector : selectors) all.push_back({ToClient(selector.index), selector.slices});
  return all;
}

client::Durability ToClient(std::optional<Durability> durability) {
  if (!durability.has_value()) return client::Durability::kServerDefault;
  return *durability == Durability::kSync ? client::Durability::kSync : client::Durability::kAsync;
}

client::RevisionChoice ToClient(const RevisionChoice& revision) {
  if (const auto* number = std::get_if<int64_t>(&revision)) return *number;
  if (std::holds_alternative<NewestRevision>(revision)) return client::NewestRevision();
  return client::SameRevision();
}

template <typename To, typename From>
std::optional<To> ToClient(const std::optional<From>& from) {
  if (!from.has_value()) return std::nullopt;
  return To(ToClient(*from));
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

MovedHistory FromProto(const v1::MovedHistory& message) {
  MovedHistory history{.model = message.model(), .snapshot_count = message.snapshot_count()};
  for (const auto& revision : message.revisions()) {
    history.revisions.push_back({revision.number(), revision.digest()});
  }
  return history;
}

v1::MovedHistory ToProto(const MovedHistory& history) {
  v1::MovedHistory message;
  message.set_model(history.model);
  message.set_snapshot_count(history.snapshot_count);
  for (const MovedHistory::Revision& revision : history.revisions) {
    auto& added = *message.add_revisions();
    added.set_number(revision.number);
    added.set_digest(revision.digest);
  }
  return message;
}

// With arrays whose elements are yet to come.
MovedSnapshot FromProto(const v1::MovedSnapshot& message) {
  MovedSnapshot snapshot{.version = Version(message.version()),
                         .revision = message.revision(),
                         .method = message.method(),
                         .create_time = FromProto(message.create_time()),
                         .labels = Labels(message.labels().begin(), message.labels().end()),
                         .step_count = message.step_count(),
                         .pinned = message.pinned()};
  for (const auto& array : message.arrays()) {
    snapshot.arrays.push_back({array.index(),
                               Array::Zeros(static_cast<DType>(array.dtype()), *Shape::Make(array.shape())),
                               array.appends()});
  }
  return snapshot;
}

v1::MovedSnapshot ToProto(const MovedSnapshot& snapshot) {
  v1::MovedSnapshot message;
  message.set_version(snapshot.version.value());
  message.set_revision(snapshot.revision);
  message.set_method(snapshot.method);
  const int64_t seconds = absl::ToUnixSeconds(snapshot.create_time);
  message.mutable_create_time()->set_seconds(seconds);
  message.mutable_create_time()->set_nanos(
      static_cast<int>(absl::ToInt64Nanoseconds(snapshot.create_time - absl::FromUnixSeconds(seconds))));
  message.mutable_labels()->insert(snapshot.labels.begin(), snapshot.labels.end());
  message.set_step_count(snapshot.step_count);
  message.set_pinned(snapshot.pinned);
  for (const MovedArray& moved : snapshot.arrays) {
    auto& array = *message.add_arrays();
    array.set_index(moved.index);
    array.set_dtype(static_cast<v1::DType>(moved.array.dtype()));
    array.mutable_shape()->Add(moved.array.shape().dims().begin(), moved.array.shape().dims().end());
    array.set_appends(moved.appends);
  }
  return message;
}

SnapshotRecord FromProto(const v1::Snapshot& message) {
  SnapshotRecord record;
  record.version = Version(message.version());
  if (message.has_parent()) record.parent = Version(message.parent());
  record.origin = std::make_shared<const SnapshotOrigin>(
      SnapshotOrigin{message.model(), message.revision(), message.method()});
  record.create_time = FromProto(message.create_time());
  record.labels = Labels(message.labels().begin(), message.labels().end());
  record.step_count = message.step_count();
  record.state_bytes = message.state_bytes();
  record.new_bytes = message.new_bytes();
  record.pinned = message.pinned();
  return record;
}

RetentionPolicy FromProto(const v1::RetentionPolicy& message) {
  RetentionPolicy policy;
  if (message.has_keep_last()) policy.keep_last = message.keep_last();
  if (message.has_keep_every()) policy.keep_every = message.keep_every();
  if (message.has_max_age()) {
    policy.max_age =
        absl::Seconds(message.max_age().seconds()) + absl::Nanoseconds(message.max_age().nanos());
  }
  return policy;
}

BranchRecord FromProto(const v1::Branch& message) {
  return {
      .name = message.name(),
      .model = message.model(),
      .head = Version(message.head()),
      .create_time = FromProto(message.create_time()),
      .update_time = FromProto(message.update_time()),
      .expire_time = message.has_expire_time() ? FromProto(message.expire_time()) : absl::InfiniteFuture(),
      .labels = Labels(message.labels().begin(), message.labels().end()),
      .retention =
          message.has_retention() ? std::make_optional(FromProto(message.retention())) : std::nullopt};
}

template <typename Message>
auto FromProto(const absl::StatusOr<Message>& message) -> absl::StatusOr<decltype(FromProto(*message))> {
  if (!message.ok()) return message.status();
  return FromProto(*message);
}

client::StepRequest ToClient(const StepRequest& request) {
  return {.state = ToClient(request.state),
          .method = request.method,
          .inputs = request.inputs,
          .output_names = request.output_names,
          .fetch = ToClient(request.fetch),
          .keep = request.keep,
          .check_finite = request.check_finite,
          .revision = ToClient(request.revision),
          .adapt_state = request.adapt_state,
          .expected_head = ToClient<client::Version>(request.expected_head),
          .labels = ToClient(request.labels),
          .request_id = request.request_id,
          .durability = ToClient(request.durability)};
}

client::SetArraysRequest ToClient(const SetArraysRequest& request) {
  client::SetArraysRequest to{.state = ToClient(request.state),
                              .revision = ToClient(request.revision),
                              .adapt_state = request.adapt_state,
                              .expected_head = ToClient<client::Version>(request.expected_head),
                              .labels = ToClient(request.labels),
                              .request_id = request.request_id,
                              .durability = ToClient(request.durability)};
  for (const auto& [index, array] : request.arrays) to.arrays.emplace_back(ToClient(index), array);
  return to;
}

class ClientWatch final : public Api::Watch {
 public:
  explicit ClientWatch(std::unique_ptr<client::BranchWatch> watch) : watch_(std::move(watch)) {}

  absl::StatusOr<Api::Event> Next() override {
    const absl::StatusOr<client::BranchEvent> event = watch_->Next();
    if (!event.ok()) return event.status();
    if (const auto* missed = std::get_if<client::MissedMoves>(&*event)) {
      return BranchNews::Missed{missed->after_position, missed->until_position};
    }
    const auto& move = std::get<client::BranchMove>(*event);
    const auto version = [](std::optional<client::Version> from) {
      return from.has_value() ? std::make_optional(Version(from->value)) : std::nullopt;
    };
    return BranchNews::Move{move.position,
                            {.branch = move.branch,
                             .head = version(move.head),
                             .previous = version(move.previous_head),
                             .time = move.time}};
  }

 private:
  const std::unique_ptr<client::BranchWatch> watch_;
};

class ClientApi final : public Api {
 public:
  explicit ClientApi(const std::filesystem::path& models, const std::vector<std::string>& flags = {})
      : server_(models, With(flags)),
        client_(client::Client::Connect({.address = server_.address(), .retry = {.max_attempts = 1}})) {}

  std::string Reason(const absl::Status& status) const override { return client::ErrorReason(status); }
  std::string Metadata(const absl::Status& status, const std::string& key) const override {
    return client::ErrorMetadata(status, key);
  }

  absl::StatusOr<int64_t> LoadModel(const std::string& name) override {
    const auto model = client_->LoadModel(name);
    if (!model.ok()) return model.status();
    return model->revision();
  }
  absl::Status UnloadRevision(const std::string& name, int64_t revision) override {
    return client_->UnloadModel({name, revision});
  }
  absl::StatusOr<Made> MakeState(const MakeStateRequest& request) override {
    const auto made = client_->MakeState({.model = request.model,
                                          .revision = request.revision,
                                          .arrays = request.arrays,
                                          .rng_seed = request.rng_seed,
                                          .branch = request.branch,
                                          .labels = ToClient(request.labels),
                                          .request_id = request.request_id,
                                          .durability = ToClient(request.durability)});
    if (!made.ok()) return made.status();
    Made result{FromProto(made->snapshot()), std::nullopt};
    if (made->has_branch()) result.branch = FromProto(made->branch());
    return result;
  }
  absl::StatusOr<Stepped> Step(const StepRequest& request) override {
    return SteppedOf(client_->Step(ToClient(request)));
  }
  absl::StatusOr<std::vector<absl::StatusOr<Stepped>>> BatchStep(const BatchStepRequest& request) override {
    client::BatchStepRequest to{.all_or_nothing = request.all_or_nothing,
                                .request_id = request.request_id,
                                .durability = ToClient(request.durability)};
    for (const StepRequest& step : request.steps) to.steps.push_back(ToClient(step));
    const auto batch = client_->BatchStep(to);
    if (!batch.ok()) return batch.status();
    std::vector<absl::StatusOr<Stepped>> results;
    for (const auto& result : batch->results) results.push_back(SteppedOf(result));
    return results;
  }
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request) override {
    const auto scanned = client_->Scan({.state = ToClient(request.state),
                                        .method = request.method,
                                        .inputs = request.inputs,
                                        .step_count = request.step_count.value_or(0),
                                        .output_names = request.output_names,
                                        .keep_every = request.keep_every,
                                        .fetch = ToClient(request.fetch),
                                        .check_finite = request.check_finite,
                                        .revision = ToClient(request.revision),
                                        .adapt_state = request.adapt_state,
                                        .expected_head = ToClient<client::Version>(request.expected_head),
                                        .labels = ToClient(request.labels),
                                        .request_id = request.request_id,
                                        .durability = ToClient(request.durability)});
    if (!scanned.ok()) return scanned.status();
    ScanResult result{{}, scanned->outputs, scanned->fetched};
    for (const client::Version version : scanned->versions) result.versions.emplace_back(version.value);
    return result;
  }
  absl::StatusOr<SnapshotRecord> SetArrays(const SetArraysRequest& request) override {
    return FromProto(client_->SetArrays(ToClient(request)));
  }
  absl::StatusOr<SnapshotRecord> WriteArrays(const SetArraysRequest& request) override {
    return FromProto(client_->WriteArrays(ToClient(request)));
  }
  std::vector<absl::StatusOr<Stepped>> StepInOrder(const StateRef& state,
                                                   const std::vector<StepRequest>& steps) override {
    std::vector<absl::StatusOr<Stepped>> results;
    const auto stream = client_->OpenStream({.state = ToClient(state), .max_outstanding = steps.size()});
    EXPECT_TRUE(stream.ok()) << stream.status();
    if (!stream.ok()) return results;
    for (const StepRequest& request : steps) {
      const client::StepRequest step = ToClient(request);
      EXPECT_TRUE((*stream)
                      ->Write({.method = step.method,
                               .inputs = step.inputs,
                               .output_names = step.output_names,
                               .fetch = step.fetch,
                               .keep = step.keep,
                               .check_finite = step.check_finite,
                               .revision = step.revision,
                               .adapt_state = step.adapt_state,
                               .labels = step.labels})
                      .ok());
    }
    (*stream)->WritesDone();
    while (auto result = (*stream)->Read()) results.push_back(SteppedOf(*result));
    EXPECT_TRUE((*stream)->Finish().ok());
    return results;
  }
  absl::StatusOr<std::vector<Diff>> DiffSnapshots(const DiffSnapshotsRequest& request) override {
    const auto result = client_->DiffSnapshots({.from = ToClient(request.from),
                                                .to = ToClient(request.to),
                                                .index = ToClient<client::Index>(request.index),
                                                .include_same = request.include_same});
    if (!result.ok()) return result.status();
    std::vector<Diff> diffs;
    for (const auto& array : result->arrays()) {
      // The kinds are numbered alike, but for the one that is not specified.
      diffs.push_back({array.index(), static_cast<ArrayDiff::Kind>(array.kind() - 1), std::nullopt});
      if (array.has_max_abs_difference()) diffs.back().max_abs = array.max_abs_difference();
    }
    return diffs;
  }
  absl::StatusOr<Read> GetArrays(const GetArraysRequest& request) override {
    const auto read =
        client_->GetArrays({.state = ToClient(request.state), .selectors = ToClient(request.selectors)});
    if (!read.ok()) return read.status();
    return Read{Version(read->version.value), read->arrays};
  }
  absl::StatusOr<SnapshotRecord> GetSnapshot(const StateRef& state) override {
    return FromProto(client_->GetSnapshot(ToClient(state)));
  }
  absl::StatusOr<std::vector<SnapshotRecord>> ListSnapshots(ListSnapshotsRequest request) override {
    client::ListSnapshotsRequest to{.begin_time = request.begin_time,
                                    .end_time = request.end_time,
                                    .labels = ToClient(request.labels),
                                    .page_size = static_cast<int>(request.limit)};
    if (const auto* model = std::get_if<ListSnapshotsRequest::Model>(&request.of)) {
      to.of = model->name;
    } else {
      to.of = ToClient(std::get<StateRef>(request.of));
    }
    std::vector<SnapshotRecord> all;
    do {
      const auto page = client_->ListSnapshots(to);
      if (!page.ok()) return page.status();
      for (const v1::Snapshot& snapshot : page->snapshots()) all.push_back(FromProto(snapshot));
      to.page_token = page->next_page_token();
    } while (!to.page_token.empty());
    return all;
  }
  absl::StatusOr<SnapshotRecord> UpdateSnapshot(const UpdateSnapshotRequest& request) override {
    return FromProto(client_->UpdateSnapshot({.version = ToClient(request.version),
                                              .labels = ToClient<client::Labels>(request.labels),
                                              .pinned = request.pinned,
                                              .request_id = request.request_id,
                                              .durability = ToClient(request.durability)}));
  }
  absl::StatusOr<int64_t> DeleteSnapshots(const DeleteSnapshotsRequest& request) override {
    client::DeleteSnapshotsRequest to{.request_id = request.request_id,
                                      .durability = ToClient(request.durability)};
    for (const Version version : request.versions) to.versions.push_back(ToClient(version));
    const auto deleted = client_->DeleteSnapshots(to);
    if (!deleted.ok()) return deleted.status();
    return deleted->freed_bytes();
  }
  absl::StatusOr<Exported> ExportSnapshots(const ExportSnapshotsRequest& request) override {
    Exported exported;
    std::string bytes;  // Of the last snapshot's arrays.
    const auto take = [&](const v1::ExportSnapshotsResponse& message) {
      if (message.has_header()) exported.history = FromProto(message.header());
      if (message.has_snapshot()) {
        AddBytes(bytes, exported);
        exported.snapshots.push_back(FromProto(message.snapshot()));
      }
      bytes += message.data();
      return absl::OkStatus();
    };
    const absl::Status read =
        client_->ExportSnapshots({.state = ToClient(request.state), .history = request.history}, take);
    if (!read.ok()) return read;
    AddBytes(bytes, exported);
    return exported;
  }
  absl::StatusOr<Made> ImportSnapshots(const ImportSnapshotsRequest& request,
                                       const std::vector<MovedSnapshot>& snapshots) override {
    const client::ImportSnapshotsRequest to{.history = ToProto(request.history),
                                            .branch = request.branch,
                                            .revision = ToClient(request.revision),
                                            .adapt_state = request.adapt_state,
                                            .request_id = request.request_id,
                                            .durability = ToClient(request.durability)};
    const auto made = client_->ImportSnapshots(to, [&](client::SnapshotSender& sender) {
      for (const MovedSnapshot& snapshot : snapshots) {
        if (!sender.Send(ToProto(snapshot))) break;
        for (const MovedArray& moved : snapshot.arrays) {
          const auto bytes = moved.array.bytes();
          // In pieces that cross elements.
          for (size_t at = 0; at < bytes.size(); at += 1003) {
            const auto part = bytes.subspan(at, 1003);
            if (!sender.Send({reinterpret_cast<const char*>(part.data()), part.size()})) break;
          }
        }
      }
      return absl::OkStatus();
    });
    if (!made.ok()) return made.status();
    return Made{FromProto(made->snapshot()), FromProto(made->branch())};
  }
  absl::StatusOr<BranchRecord> CreateBranch(const CreateBranchRequest& request) override {
    return FromProto(client_->CreateBranch({.name = request.name,
                                            .state = ToClient(request.state),
                                            .labels = ToClient(request.labels),
                                            .expire_time = request.expire_time,
                                            .retention = ToClient<client::RetentionPolicy>(request.retention),
                                            .request_id = request.request_id,
                                            .durability = ToClient(request.durability)}));
  }
  absl::StatusOr<BranchRecord> GetBranch(const std::string& name) override {
    return FromProto(client_->GetBranch(name));
  }
  absl::StatusOr<std::vector<BranchRecord>> ListBranches(ListBranchesRequest request) override {
    client::ListBranchesRequest to{.prefix = request.prefix, .page_size = static_cast<int>(request.limit)};
    std::vector<BranchRecord> all;
    do {
      const auto page = client_->ListBranches(to);
      if (!page.ok()) return page.status();
      for (const v1::Branch& branch : page->branches()) all.push_back(FromProto(branch));
      to.page_token = page->next_page_token();
    } while (!to.page_token.empty());
    return all;
  }
  absl::StatusOr<BranchRecord> UpdateBranch(const UpdateBranchRequest& request) override {
    std::optional<std::optional<client::RetentionPolicy>> retention;
    if (request.retention.has_value()) retention = ToClient<client::RetentionPolicy>(*request.retention);
    return FromProto(client_->UpdateBranch({.name = request.name,
                                            .head = ToClient<client::StateRef>(request.head),
                                            .expected_head = ToClient<client::Version>(request.expected_head),
                                            .labels = ToClient<client::Labels>(request.labels),
                                            .expire_time = request.expire_time,
                                            .retention = retention,
                                            .request_id = request.request_id,
                                            .durability = ToClient(request.durability)}));
  }
  absl::Status DeleteBranch(const DeleteBranchRequest& request) override {
    return client_->DeleteBranch({.name = request.name,
                                  .expected_head = ToClient<client::Version>(request.expected_head),
                                  .request_id = request.request_id,
                                  .durability = ToClient(request.durability)});
  }
  absl::StatusOr<std::unique_ptr<Watch>> WatchBranches(const WatchBranchesRequest& request) override {
    client::WatchBranchesRequest to;
    if (const auto* name = std::get_if<BranchName>(&request.of)) {
      to.branches = client::BranchName{name->value};
    } else {
      to.branches = client::BranchPrefix{std::get<BranchPrefix>(request.of).value};
    }
    if (const auto* version = std::get_if<Version>(&request.after)) to.after = ToClient(*version);
    if (const auto* position = std::get_if<MovePosition>(&request.after)) {
      to.after = client::MovePosition{position->value};
    }
    absl::StatusOr<std::unique_ptr<client::BranchWatch>> watch = client_->WatchBranches(to);
    if (!watch.ok()) return watch.status();
    return std::make_unique<ClientWatch>(*std::move(watch));
  }

 private:
  static std::vector<std::string> With(std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--max-branch-moves", absl::StrCat(kMaxBranchMoves),
                               "--retention-min-age-seconds", "0", "--retention-pause-seconds", "0.01"});
    return flags;
  }
  static absl::StatusOr<Stepped> SteppedOf(const absl::StatusOr<client::StepResult>& stepped) {
    if (!stepped.ok()) return stepped.status();
    return Stepped{Version(stepped->version.value), stepped->outputs, stepped->fetched};
  }

  // Makes arrays of `bytes`, which is empty then, in place of those without elements of the last snapshot.
  static void AddBytes(std::string& bytes, Exported& exported) {
    size_t at = 0;
    if (exported.snapshots.empty()) return;
    for (MovedArray& moved : exported.snapshots.back().arrays) {
      const auto size = static_cast<size_t>(moved.array.byte_count());
      EXPECT_LE(at + size, bytes.size());
      auto array =
          Array::Make(moved.array.dtype(), moved.array.shape(), Buffer::Adopt(bytes.substr(at, size)));
      EXPECT_TRUE(array.ok()) << array.status();
      if (array.ok()) moved.array = *std::move(array);
      at += size;
    }
    EXPECT_EQ(at, bytes.size());
    bytes.clear();
  }

  ServerProcess server_;
  const std::unique_ptr<client::Client> client_;
};

std::unique_ptr<Api> OfMemory(const std::filesystem::path& models) {
  return std::make_unique<ClientApi>(models);
}

std::unique_ptr<Api> OfDisk(const std::filesystem::path& models) {
  static TemporaryDirectory directory;
  return std::make_unique<ClientApi>(models, std::vector<std::string>{"--data-dir", directory.New()});
}

INSTANTIATE_TEST_SUITE_P(Reached, Conformance,
                         ::testing::Values(Way{"Client", OfMemory}, Way{"ClientOfDisk", OfDisk}),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace stepwell::testing
