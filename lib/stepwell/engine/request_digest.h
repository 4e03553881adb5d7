#ifndef STEPWELL_ENGINE_REQUEST_DIGEST_H_
#define STEPWELL_ENGINE_REQUEST_DIGEST_H_

#include <string>

#include "stepwell/engine/moved_history.h"
#include "stepwell/engine/requests.h"

namespace stepwell {

// The SHA-256 digest of what a request asks for: of everything that it says but its request_id, its
// durability and how long its caller waits. The same in every process.
std::string DigestOf(const MakeStateRequest& request);
std::string DigestOf(const StepRequest& request);
std::string DigestOf(const BatchStepRequest& request);
std::string DigestOf(const ScanRequest& request);
std::string DigestOf(const SetArraysRequest& request);
std::string DigestOf(const UpdateSnapshotRequest& request);
std::string DigestOf(const DeleteSnapshotsRequest& request);
std::string DigestOf(const CreateBranchRequest& request);
std::string DigestOf(const UpdateBranchRequest& request);
std::string DigestOf(const DeleteBranchRequest& request);

// Of an import, what its first message says, and each of its snapshots.
std::string DigestOf(const ImportSnapshotsRequest& request);
std::string DigestOf(const MovedSnapshot& snapshot);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_REQUEST_DIGEST_H_
