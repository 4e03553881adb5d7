#ifndef STEPWELL_SERVER_SERVICES_UPLOAD_MODEL_H_
#define STEPWELL_SERVER_SERVICES_UPLOAD_MODEL_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "server/rpc/client_stream_call.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/model/repository.h"

namespace stepwell::server {

struct UploadOptions {
  bool allowed = false;                  // Whether packages are taken at all.
  int64_t max_bytes = int64_t{4} << 30;  // Of the files of one package.
};

// Serves UploadModel: writes files as their bytes come, one message of each call at a time, then has the
// repository check the package, put it in its place and load it. Thread-safe.
class ModelUploads {
 public:
  // Where uploads are allowed, removes what those of processes that have ended left. `models` and `loader`,
  // which loads what has come, are not owned and must outlive this and its calls.
  ModelUploads(ModelRepository* models, const UploadOptions& options, WorkerPool* loader);

  void Serve(std::shared_ptr<ClientStreamCall> call);

 private:
  class Upload;

  ModelRepository* const models_;
  const UploadOptions options_;
  WorkerPool* const loader_;
  std::atomic<int> under_way_ = 0;
  WorkerPool writer_;  // A write may wait for the disk: not for the completion-queue thread.
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_UPLOAD_MODEL_H_
