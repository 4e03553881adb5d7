#include "stepwell/storage/rocksdb_verify_rows.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "stepwell/storage/rocksdb_keys.h"

namespace stepwell {
namespace {

constexpr int64_t kProgressEvery = 4096;

absl::string_view RowView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string NameOf(Version version) { return absl::StrCat("version ", version.value()); }

}  // namespace

void RowsVerifier::Count() {
  VerifyReport::Count& count = report_->counts.back();
  if (++count.checked % kProgressEvery == 0) progress_(count.what, count.checked);
}

template <typename... Args>
void RowsVerifier::Problem(const Args&... args) {
  ++report_->counts.back().problems;
  report_->problems.push_back(absl::StrCat(args...));
}

void RowsVerifier::CheckAll() {
  CheckMeta();
  ForEach(Family::kSnapshots, "snapshots",
          [this](absl::string_view key, absl::string_view value) { CheckSnapshot(key, value); });
  ForEach(Family::kTree, "places in the tree",
          [this](absl::string_view key, absl::string_view value) { CheckTree(key, value); });
  ForEach(Family::kBranches, "branches",
          [this](absl::string_view key, absl::string_view value) { CheckBranch(key, value); });
  ForEach(Family::kRequests, "remembered requests",
          [this](absl::string_view key, absl::string_view value) { CheckRequest(key, value); });
}

void RowsVerifier::ForEach(Family family, const char* what,
                           absl::FunctionRef<void(absl::string_view, absl::string_view)> check) {
  BeginCount(what);
  const std::unique_ptr<rocksdb::Iterator> rows = database_->Iterate(family);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    check(RowView(rows->key()), RowView(rows->value()));
    Count();
  }
  if (rows->status().ok()) return;
  Problem(what, ": ", database_->ReadError(rows->status(), "one of them").message(), "; after ",
          report_->counts.back().checked, " of them, the others are not checked");
}

void RowsVerifier::CheckMeta() {
  BeginCount("revisions of models");
  const absl::StatusOr<Version> end = database_->ReadReservedEnd();
  if (end.ok()) {
    reserved_end_ = *end;
  } else {
    Problem(end.status());
    reserved_end_ = Version(std::numeric_limits<int64_t>::max());
  }
  const absl::StatusOr<std::vector<ModelRevisionRecord>> revisions = database_->ReadModelRevisions();
  if (!revisions.ok()) return Problem(revisions.status());
  for (const ModelRevisionRecord& revision : *revisions) {
    revisions_[{revision.model, revision.revision}] = revision.state;
    Count();
  }
}

void RowsVerifier::CheckSnapshot(absl::string_view key, absl::string_view value) {
  if (key.size() != SnapshotKey(Version(0)).size()) {
    return Problem("a snapshot has the key ", absl::BytesToHexString(key), "; expected 8 bytes");
  }
  const Version version = SnapshotKeyVersion(key);
  const absl::StatusOr<SnapshotRow> row = DecodeSnapshot(version, value);
  if (!row.ok()) return Problem(row.status());
  if (version >= reserved_end_) {
    Problem(NameOf(version), " is there; expected versions below ", reserved_end_.value(),
            ", where those begin that nobody was given");
  }
  if (WasDropped(version)) Problem(NameOf(version), " is there, and was dropped");
  const absl::StatusOr<std::optional<PlaceRow>> place = database_->ReadPlace(version);
  if (!place.ok()) return Problem(place.status());
  if (place->has_value() && (*place)->is_skeleton) {
    Problem(NameOf(version), " is there, and was dropped up to what others need of it");
  }
  CheckPlace(version, place->has_value() ? (*place)->parent : row->record.parent.value_or(Version(0)),
             NameOf(version));
  CheckOrigin(row->record);
  CheckWritten(*row);
  CheckWriters(row->record, NameOf(version));
}

void RowsVerifier::CheckOrigin(const SnapshotRecord& record) {
  const SnapshotOrigin& origin = *record.origin;
  const auto found = revisions_.find({origin.model, origin.revision});
  if (found == revisions_.end()) {
    return Problem(NameOf(record.version), " is of revision ", origin.revision, " of model \"", origin.model,
                   "\", of which nothing is known");
  }
  if (found->second.size() == record.writers.size()) return;
  Problem(NameOf(record.version), " has ", record.writers.size(), " arrays; expected ", found->second.size(),
          ", as revision ", origin.revision, " of model \"", origin.model, "\" has");
}

void RowsVerifier::CheckWritten(const SnapshotRow& row) {
  const SnapshotRecord& record = row.record;
  const auto spec = revisions_.find({record.origin->model, record.origin->revision});
  size_t slot = 0;
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    if (record.writers[static_cast<size_t>(position)] != record.version) continue;
    const int64_t bytes = row.written_bytes[slot++];
    const auto what = [&] {
      return absl::StrCat("the array at position ", position, " that ", NameOf(record.version), " wrote ");
    };
    const absl::StatusOr<ArrayPart> part = database_->ReadArray(record.version, position);
    if (absl::IsNotFound(part.status())) {
      Problem(what(), "is missing");
      continue;
    }
    if (!part.ok()) {
      Problem(part.status());
      continue;
    }
    if (part->array.byte_count() != bytes) {
      Problem(what(), "has ", part->array.byte_count(), " bytes; expected ", bytes);
    }
    if (spec != revisions_.end() && static_cast<size_t>(position) < spec->second.size() &&
        spec->second[static_cast<size_t>(position)].dtype != part->array.dtype()) {
      Problem(what(), "is ", DTypeName(part->array.dtype()), "; expected ",
              DTypeName(spec->second[static_cast<size_t>(position)].dtype));
    }
    const ArrayChain* const chain = record.chains.Find(position);
    const Version previous = part->previous.value_or(Version(0));
    const Version expected = chain == nullptr ? Version(0) : chain->previous;
    if (previous != expected) {
      Problem(what(), "follows the rows of version ", previous.value(), "; expected ", expected.value());
    } else if (chain != nullptr && !WasWritten(previous, position)) {
      Problem(what(), "follows rows of version ", previous.value(), ", which are missing");
    }
  }
}

void RowsVerifier::CheckWriters(const SnapshotRecord& record, absl::string_view what) {
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    const Version writer = record.writers[static_cast<size_t>(position)];
    if (writer == record.version || writer == Version(0)) continue;
    if (writer < record.version && WasWritten(writer, position)) continue;
    Problem(what, " refers to an array at position ", position, " of version ", writer.value(),
            ", which is missing");
  }
}

void RowsVerifier::CheckPlace(Version version, Version parent, absl::string_view what) {
  if (parent == Version(0)) return;
  if (parent >= version) {
    return Problem(what, " hangs under version ", parent.value(), "; expected an earlier one");
  }
  std::string value;
  const rocksdb::Status read = database_->db().Get(rocksdb::ReadOptions(), database_->family(Family::kTree),
                                                   EdgeKey(parent, version), &value);
  if (read.IsNotFound()) Problem(what, " hangs under version ", parent.value(), ", which does not have it");
  if (!IsThere(parent)) Problem(what, " hangs under version ", parent.value(), ", which is missing");
}

void RowsVerifier::CheckTree(absl::string_view key, absl::string_view value) {
  const std::optional<TreeKey> parsed = ParseTreeKey(key);
  if (!parsed.has_value()) {
    return Problem("a place in the tree has the key ", absl::BytesToHexString(key), ", of no known kind");
  }
  switch (parsed->kind) {
    case TreeKey::Kind::kEdge:
      return CheckEdge(parsed->version, parsed->child);
    case TreeKey::Kind::kPlace:
      return CheckPlaceRow(parsed->version, value);
    case TreeKey::Kind::kOrphan:
      return CheckOrphan(parsed->version, parsed->position, value);
    case TreeKey::Kind::kDropped:
      return CheckRun(parsed->version, value);
  }
}

void RowsVerifier::CheckEdge(Version parent, Version child) {
  if (!IsThere(parent)) Problem(NameOf(parent), " has children, and is missing");
  const absl::StatusOr<std::optional<Node>> node = FindNode(child);
  if (!node.ok()) return;
  if (!node->has_value()) {
    Problem(NameOf(parent), " has the child ", child.value(), ", which is missing");
  } else if ((*node)->parent != parent) {
    Problem(NameOf(parent), " has the child ", child.value(), ", which hangs under version ",
            (*node)->parent.value());
  }
}

void RowsVerifier::CheckPlaceRow(Version version, absl::string_view value) {
  const absl::StatusOr<PlaceRow> place = DecodePlace(version, value);
  if (!place.ok()) return Problem(place.status());
  if (!place->is_skeleton) {
    if (!IsThere(version)) Problem(NameOf(version), " has a place, and is missing");
    return;
  }
  const std::string what = absl::StrCat("what is left of ", NameOf(version));
  if (!WasDropped(version)) Problem(what, ": it was not dropped");
  CheckPlace(version, place->parent, what);
  for (int position = 0; position < std::ssize(place->record.writers); ++position) {
    const Version writer = place->record.writers[static_cast<size_t>(position)];
    if (writer == Version(0) || WasWritten(writer, position)) continue;
    Problem(what, " refers to an array at position ", position, " of version ", writer.value(),
            ", which is missing");
  }
}

void RowsVerifier::CheckOrphan(Version writer, int position, absl::string_view value) {
  const absl::StatusOr<OrphanRow> orphan = DecodeOrphan(writer, position, value);
  if (!orphan.ok()) return Problem(orphan.status());
  const std::string what =
      absl::StrCat("the array at position ", position, " of ", NameOf(writer), ", which was dropped");
  if (!WasDropped(writer)) Problem(what, ": it was not");
  const absl::StatusOr<ArrayPart> part = database_->ReadArray(writer, position);
  if (absl::IsNotFound(part.status())) return Problem(what, ", is missing");
  if (!part.ok()) return Problem(part.status());
  if (part->array.byte_count() != orphan->byte_count || part->previous != orphan->previous) {
    Problem(what, ", is not the one that was written");
  }
}

void RowsVerifier::CheckRun(Version first, absl::string_view value) {
  const std::optional<Version> last = ParseVersionValue(value);
  if (!last.has_value() || *last < first || first <= last_run_end_ || *last >= reserved_end_) {
    return Problem("the dropped versions from ", first.value(), " on are no run between those before and ",
                   reserved_end_.value());
  }
  last_run_end_ = *last;
}

void RowsVerifier::CheckBranch(absl::string_view name, absl::string_view value) {
  const absl::StatusOr<BranchRecord> branch = DecodeBranch(name, value);
  if (!branch.ok()) return Problem(branch.status());
  const absl::StatusOr<SnapshotRow> head = database_->ReadSnapshot(branch->head);
  if (absl::IsNotFound(head.status())) {
    Problem("branch \"", name, "\" points at version ", branch->head.value(), ", which is missing");
  } else if (head.ok() && head->record.origin->model != branch->model) {
    Problem("branch \"", name, "\" of model \"", branch->model, "\" points at version ", branch->head.value(),
            " of model \"", head->record.origin->model, "\"");
  }
}

void RowsVerifier::CheckRequest(absl::string_view key, absl::string_view value) {
  const absl::StatusOr<RequestRecord> request = DecodeRequest(value);
  if (!request.ok()) return Problem(request.status());
  const std::string what = absl::StrCat("request_id \"", absl::CHexEscape(request->id), "\"");
  if (RequestKey(request->time, request->id) != key) Problem(what, " stands at another one's place");
  for (const Version version : request->versions) {
    if (version < reserved_end_) continue;
    Problem(what, " made version ", version.value(), "; expected one below ", reserved_end_.value());
  }
}

absl::StatusOr<std::optional<RowsVerifier::Node>> RowsVerifier::FindNode(Version version) const {
  absl::StatusOr<std::optional<PlaceRow>> place = database_->ReadPlace(version);
  if (!place.ok()) return place.status();
  if (place->has_value() && (*place)->is_skeleton) {
    return Node{.parent = (*place)->parent, .is_skeleton = true, .record = std::move((*place)->record)};
  }
  absl::StatusOr<SnapshotRow> row = database_->ReadSnapshot(version);
  if (absl::IsNotFound(row.status())) return std::nullopt;
  if (!row.ok()) return row.status();
  const Version parent = place->has_value() ? (*place)->parent : row->record.parent.value_or(Version(0));
  return Node{.parent = parent, .record = std::move(row->record)};
}

bool RowsVerifier::IsThere(Version version) const {
  const absl::StatusOr<std::optional<Node>> node = FindNode(version);
  return !node.ok() || node->has_value();
}

bool RowsVerifier::WasWritten(Version writer, int position) {
  const auto last = last_writers_.find(position);
  if (last != last_writers_.end() && last->second == writer) return true;
  const absl::StatusOr<SnapshotRow> row = database_->ReadSnapshot(writer);
  bool written = !row.ok() && !absl::IsNotFound(row.status());
  if (row.ok()) {
    const auto& writers = row->record.writers;
    written = position < std::ssize(writers) && writers[static_cast<size_t>(position)] == writer;
  } else if (!written) {
    std::string value;
    written = !database_->db()
                   .Get(rocksdb::ReadOptions(), database_->family(Family::kTree), OrphanKey(writer, position),
                        &value)
                   .IsNotFound();
  }
  if (written) last_writers_.insert_or_assign(position, writer);
  return written;
}

bool RowsVerifier::WasDropped(Version version) {
  const auto run = database_->FindDropped(version, *dropped_);
  return run.ok() && run->has_value();
}

}  // namespace stepwell
