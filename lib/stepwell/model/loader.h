#ifndef STEPWELL_MODEL_LOADER_H_
#define STEPWELL_MODEL_LOADER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/model/model.h"
#include "stepwell/model/package.h"

namespace stepwell {

struct LoadOptions {
  int64_t revision = 1;         // Of the model that is made.
  int threads_per_session = 1;  // As RepositoryOptions.
  std::string digest;           // Of the package, as Package::Digest tells it.
};

// Makes the model `name` from its package. FAILED_PRECONDITION (MODEL_INVALID): the package is wrong; the
// message has a line for everything that is. RESOURCE_EXHAUSTED: there is no memory for it.
absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const Package& package, absl::string_view name,
                                                       const LoadOptions& options = {});

}  // namespace stepwell

#endif  // STEPWELL_MODEL_LOADER_H_
