#include "stepwell/client/branch_watch.h"

#include <utility>

#include "client/src/resuming_watch.h"

namespace stepwell::client {

BranchWatch::BranchWatch(std::unique_ptr<internal::ResumingWatch> watch) : watch_(std::move(watch)) {}

BranchWatch::~BranchWatch() = default;

absl::StatusOr<BranchEvent> BranchWatch::Next(absl::Duration timeout) { return watch_->Next(timeout); }

MovePosition BranchWatch::position() const { return {watch_->position()}; }

void BranchWatch::Cancel() { watch_->Cancel(); }

}  // namespace stepwell::client
