#ifndef STEPWELL_TESTS_CRASH_LEDGER_H_
#define STEPWELL_TESTS_CRASH_LEDGER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "stepwell/array/array.h"
#include "stepwell/client/types.h"

// What the server of a crash test was asked for and has answered, and so what it owes.
namespace stepwell::testing {

// The label of each version, by which it is known also where the answer was lost: of which operation it is,
// and which part of it. All versions of a scan have that of its first.
inline constexpr char kPartLabel[] = "part";
// What UpdateSnapshot writes: which operation it was.
inline constexpr char kNoteLabel[] = "note";

// Branches that several clients step, which queue; every other has one at a time.
inline constexpr char kSharedPrefix[] = "shared/";
inline bool IsShared(const std::string& branch) { return absl::StartsWith(branch, kSharedPrefix); }

// The bytes of arrays, one after the other.
inline std::string BytesOf(const client::NamedArrays& arrays) {
  std::string bytes;
  for (const auto& [name, array] : arrays) {
    const auto span = array.bytes();
    bytes.append(reinterpret_cast<const char*>(span.data()), span.size());
  }
  return bytes;
}

// A version that an operation makes.
struct Part {
  std::string model;
  std::string branch;           // Whose head becomes the version; empty: none's.
  std::optional<int64_t> base;  // What it is made from. Nothing: the branch's head, or nothing for a root.
  bool is_root = false;
  std::optional<Array> x;            // The input of a step.
  std::optional<std::string> state;  // The bytes after it, as asked for or as answered.
  int64_t version = 0;               // As answered; 0: not.
};

// Something that a client asked for, which is done as a whole or not at all.
struct Operation {
  enum class Kind { kMake, kBranch, kNote, kDrop };

  Kind kind = Kind::kMake;
  bool sync = false;
  int64_t id = 0;
  // When it was sent and answered, on one clock for all clients; 0: not answered.
  int64_t sent = 0;
  int64_t answered = 0;

  std::vector<Part> parts;        // kMake.
  std::string request_id;         // kMake, if it may be repeated.
  std::string branch;             // kBranch: which one,
  std::optional<int64_t> head;    // and what becomes its head; nothing: it is deleted.
  std::vector<int64_t> versions;  // kDrop: which; kNote: which one.
  bool pinned = false;            // kNote.

  std::string PartLabel(size_t part) const { return absl::StrCat(id, ".", part); }
};

// A version that is known to be there.
struct Kept {
  std::string model;
  std::optional<int64_t> parent;
  std::string state;
  client::Labels labels;
  bool pinned = false;
  int cycle = 0;  // When it was made.
};

// What was found when the server was last started: all of it is owed until something else is asked for.
struct Ledger {
  std::map<int64_t, Kept> snapshots;
  std::map<std::string, int64_t> branches;  // Their heads.
  std::map<int64_t, std::string> gone;      // Versions that must not come back, and the reason that is given.
  int64_t last_version = 0;                 // No version up to it may be handed out again.
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_LEDGER_H_
