#ifndef STEPWELL_CLIENT_MOVE_H_
#define STEPWELL_CLIENT_MOVE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::client {

struct ExportSnapshotsRequest {
  StateRef state;
  bool history = false;    ///< Its ancestors, too, those that are still there.
  bool omit_data = false;  ///< Tell what there is, without the arrays' bytes.
};

struct ImportSnapshotsRequest {
  v1::MovedHistory history;  ///< As ExportSnapshots told it.
  std::string branch;        ///< To create, with the last snapshot as its head.
  RevisionChoice revision;   ///< SameRevision: those of the same packages.
  bool adapt_state = false;  ///< See StepRequest.
  std::string request_id;    ///< A repeat with the same content is answered as the first was.
  Durability durability = Durability::kServerDefault;
};

/// Where an import's snapshots go, oldest first, each followed by the bytes of its arrays.
class SnapshotSender {
 public:
  virtual ~SnapshotSender() = default;

  /// False when the server has answered already: send nothing more.
  virtual bool Send(const v1::MovedSnapshot& snapshot) = 0;
  /// The next bytes of its arrays, which may cross from one to the next; about a MiB is a good size.
  virtual bool Send(absl::string_view bytes) = 0;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_MOVE_H_
