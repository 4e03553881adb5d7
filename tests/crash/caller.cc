#include "tests/crash/caller.h"

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"

namespace stepwell::testing {
namespace {

// Of a stream: written and not read.
constexpr size_t kOutstanding = 32;

client::Durability DurabilityOf(const Operation& operation) {
  return operation.sync ? client::Durability::kSync : client::Durability::kAsync;
}

// Whether the server went away, or said that it will: then nobody knows what it did.
bool IsGone(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsCancelled(status); }

client::ArraySelector Everything() { return {client::IndexSubtree{""}, {}}; }

void Fill(Part& part, const client::StepResult& result) {
  part.version = result.version.value;
  part.state = BytesOf(result.fetched);
}

std::string Row(const Array& rows, size_t row, size_t rows_count) {
  const std::string bytes = BytesOf({{"", rows}});
  return bytes.substr(row * bytes.size() / rows_count, bytes.size() / rows_count);
}

// One array with those of `parts` along a new outermost axis.
Array Stacked(const std::vector<Part>& parts) {
  std::string bytes;
  for (const Part& part : parts) bytes += BytesOf({{"x", *part.x}});
  std::vector<int64_t> dims = {static_cast<int64_t>(parts.size())};
  const auto one = parts[0].x->shape().dims();
  dims.insert(dims.end(), one.begin(), one.end());
  return Array::Make(parts[0].x->dtype(), dims,
                     Buffer::Copy({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}))
      .value();
}

}  // namespace

Array Caller::InputOf(const std::string& model) {
  if (model == "counter") return Array::Scalar<int32_t>(static_cast<int32_t>(random_() % 2001) - 1000);
  std::vector<float> x(model == "gru" ? 32 : 64);
  std::normal_distribution<float> normal;
  for (float& element : x) element = normal(random_);
  return Array::From<float>({static_cast<int64_t>(x.size())}, x).value();
}

bool Caller::IsAnswered(Operation& operation, const absl::Status& status) {
  if (status.ok()) {
    journal_->Answered(operation);
    return true;
  }
  if (!IsGone(status))
    journal_->Fail(absl::StrCat("operation ", operation.id, " was refused: ", status.ToString()));
  return false;
}

client::StepRequest Caller::RequestOf(const Operation& operation, size_t part) const {
  const Part& asked = operation.parts[part];
  client::StateRef state = client::BranchName{asked.branch};
  if (asked.base.has_value()) state = client::Version{*asked.base};
  return {.state = state,
          .inputs = {{"x", *asked.x}},
          .fetch = {Everything()},
          .labels = {{kPartLabel, operation.PartLabel(part)}},
          .request_id = operation.request_id};
}

std::optional<int64_t> Caller::Make(const std::string& model, const std::string& branch, bool sync,
                                    int32_t count) {
  Part root{.model = model, .branch = branch, .is_root = true, .state = ""};
  if (model == "gru") root.state = std::string(64 * sizeof(float), '\0');
  if (model == "counter") root.state = BytesOf({{"count", Array::Scalar(count)}});
  Operation& operation = journal_->Begin({.sync = sync, .parts = {root}});
  client::MakeStateRequest request{.model = model,
                                   .labels = {{kPartLabel, operation.PartLabel(0)}},
                                   .durability = DurabilityOf(operation)};
  if (!branch.empty()) request.branch = branch;
  if (model == "counter") request.arrays = {{"count", Array::Scalar(count)}};
  const auto made = client_->MakeState(request);
  if (made.ok()) operation.parts[0].version = made->snapshot().version();
  if (!IsAnswered(operation, made.status())) return std::nullopt;
  return operation.parts[0].version;
}

std::optional<int64_t> Caller::Step(Part part, bool sync, const std::string& request_id) {
  part.x = InputOf(part.model);
  return Send(journal_->Begin({.sync = sync, .parts = {std::move(part)}, .request_id = request_id}));
}

std::optional<int64_t> Caller::Send(Operation& operation) {
  client::StepRequest request = RequestOf(operation, 0);
  request.durability = DurabilityOf(operation);
  const auto stepped = client_->Step(request);
  if (stepped.ok()) Fill(operation.parts[0], *stepped);
  if (!IsAnswered(operation, stepped.status())) return std::nullopt;
  return operation.parts[0].version;
}

bool Caller::BatchStep(const std::vector<Part>& parts, bool sync) {
  Operation& operation = journal_->Begin({.sync = sync, .parts = parts});
  client::BatchStepRequest request{.all_or_nothing = true, .durability = DurabilityOf(operation)};
  for (size_t i = 0; i < parts.size(); ++i) {
    operation.parts[i].x = InputOf(parts[i].model);
    request.steps.push_back(RequestOf(operation, i));
  }
  const auto stepped = client_->BatchStep(request);
  absl::Status status = stepped.status();
  for (size_t i = 0; status.ok() && i < parts.size(); ++i) {
    status = stepped->results[i].status();
    if (status.ok()) Fill(operation.parts[i], *stepped->results[i]);
  }
  return IsAnswered(operation, status);
}

bool Caller::Scan(const std::string& model, const std::string& branch, int steps, bool sync) {
  Operation scan{.sync = sync};
  for (int i = 0; i < steps; ++i)
    scan.parts.push_back({.model = model, .branch = branch, .x = InputOf(model)});
  Operation& operation = journal_->Begin(std::move(scan));
  const auto scanned = client_->Scan({.state = client::BranchName{branch},
                                      .inputs = {{"x", Stacked(operation.parts)}},
                                      .output_names = {"y"},
                                      .keep_every = 1,
                                      .labels = {{kPartLabel, operation.PartLabel(0)}},
                                      .durability = DurabilityOf(operation)});
  if (scanned.ok()) {
    for (size_t i = 0; i < operation.parts.size(); ++i) {
      operation.parts[i].version = scanned->versions.at(i).value;
      // Of both models that are scanned, what a step answers is the state after it.
      operation.parts[i].state = Row(scanned->outputs.at(0).second, i, operation.parts.size());
    }
  }
  return IsAnswered(operation, scanned.status());
}

bool Caller::Stream(const std::string& model, const std::string& branch, int steps, bool sync) {
  const auto stream =
      client_->OpenStream({.state = client::BranchName{branch},
                           .durability = sync ? client::Durability::kSync : client::Durability::kAsync,
                           .max_outstanding = kOutstanding,
                           .resume = false});
  if (!stream.ok()) {
    if (!IsGone(stream.status()))
      journal_->Fail(absl::StrCat("a stream was refused: ", stream.status().ToString()));
    return false;
  }
  std::deque<Operation*> outstanding;
  const auto read = [&] {
    auto answer = (*stream)->Read();
    if (!answer.has_value()) answer = (*stream)->Finish();
    Operation& operation = *outstanding.front();
    outstanding.pop_front();
    if (answer->ok()) Fill(operation.parts[0], **answer);
    return IsAnswered(operation, answer->status());
  };
  for (int i = 0; i < steps; ++i) {
    Operation& operation =
        journal_->Begin({.sync = sync, .parts = {{.model = model, .branch = branch, .x = InputOf(model)}}});
    outstanding.push_back(&operation);
    if (!(*stream)
             ->Write({.inputs = {{"x", *operation.parts[0].x}},
                      .fetch = {Everything()},
                      .labels = {{kPartLabel, operation.PartLabel(0)}}})
             .ok()) {
      return false;  // The server is gone.
    }
    if (outstanding.size() == kOutstanding && !read()) return false;
  }
  (*stream)->WritesDone();
  while (!outstanding.empty()) {
    if (!read()) return false;
  }
  return (*stream)->Finish().ok();
}

bool Caller::Set(const std::string& branch, int32_t count, bool sync) {
  const Array array = Array::Scalar(count);
  Operation& operation = journal_->Begin(
      {.sync = sync,
       .parts = {{.model = "counter", .branch = branch, .state = BytesOf({{"count", array}})}}});
  const auto set = client_->SetArrays({.state = client::BranchName{branch},
                                       .arrays = {{client::IndexPath{"count"}, array}},
                                       .labels = {{kPartLabel, operation.PartLabel(0)}},
                                       .durability = DurabilityOf(operation)});
  if (set.ok()) operation.parts[0].version = set->version();
  return IsAnswered(operation, set.status());
}

bool Caller::ChangeBranch(const std::string& branch, std::optional<int64_t> head, bool is_new, bool sync) {
  Operation& operation =
      journal_->Begin({.kind = Operation::Kind::kBranch, .sync = sync, .branch = branch, .head = head});
  const client::Durability durability = DurabilityOf(operation);
  absl::Status status;
  if (!head.has_value()) {
    status = client_->DeleteBranch({.name = branch, .durability = durability});
  } else if (is_new) {
    status =
        client_->CreateBranch({.name = branch, .state = client::Version{*head}, .durability = durability})
            .status();
  } else {
    status = client_->UpdateBranch({.name = branch, .head = client::Version{*head}, .durability = durability})
                 .status();
  }
  return IsAnswered(operation, status);
}

bool Caller::CreateBranch(const std::string& branch, int64_t head, bool sync) {
  return ChangeBranch(branch, head, true, sync);
}
bool Caller::MoveBranch(const std::string& branch, int64_t head, bool sync) {
  return ChangeBranch(branch, head, false, sync);
}
bool Caller::DeleteBranch(const std::string& branch, bool sync) {
  return ChangeBranch(branch, std::nullopt, false, sync);
}

bool Caller::Note(int64_t version, const client::Labels& labels, bool pinned, bool sync) {
  Operation& operation = journal_->Begin(
      {.kind = Operation::Kind::kNote, .sync = sync, .versions = {version}, .pinned = pinned});
  client::Labels noted = labels;
  noted[kNoteLabel] = absl::StrCat(operation.id);
  return IsAnswered(operation, client_
                                   ->UpdateSnapshot({.version = client::Version{version},
                                                     .labels = noted,
                                                     .pinned = pinned,
                                                     .durability = DurabilityOf(operation)})
                                   .status());
}

bool Caller::Drop(const std::vector<int64_t>& versions, bool sync) {
  Operation& operation =
      journal_->Begin({.kind = Operation::Kind::kDrop, .sync = sync, .versions = versions});
  client::DeleteSnapshotsRequest request{.durability = DurabilityOf(operation)};
  for (const int64_t version : versions) request.versions.push_back(client::Version{version});
  return IsAnswered(operation, client_->DeleteSnapshots(request).status());
}

bool Caller::Repeat(const Repeatable& repeatable, const std::string& state) {
  if (!repeatable.made.has_value()) {
    Operation again = repeatable.operation;
    again.answered = 0;
    again.parts[0].version = 0;
    again.parts[0].state.reset();
    return Send(journal_->Begin(std::move(again))).has_value();
  }
  client::StepRequest request = RequestOf(repeatable.operation, 0);
  request.durability = DurabilityOf(repeatable.operation);
  const auto stepped = client_->Step(request);
  if (stepped.ok() && stepped->version.value == *repeatable.made && BytesOf(stepped->fetched) == state)
    return true;
  journal_->Fail(absl::StrCat(
      "operation ", repeatable.operation.id, " had made version ", *repeatable.made,
      "; asked for again, it is ",
      stepped.ok() ? absl::StrCat("version ", stepped->version.value, ", perhaps of another state")
                   : stepped.status().ToString()));
  return false;
}

}  // namespace stepwell::testing
