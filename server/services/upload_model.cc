#include "server/services/upload_model.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/convert/encode.h"
#include "server/services/call_handlers.h"
#include "spdlog/spdlog.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/errors.h"
#include "stepwell/model/package.h"
#include "stepwell/model/package_files.h"
#include "stepwell/model/package_staging.h"
#include "stepwell/v1/model_service.pb.h"

namespace stepwell::server {
namespace {

constexpr int kMaxUploads = 4;  // Under way: each takes disk, and a message of memory.

absl::Status UploadsOff() {
  return WithErrorInfo(absl::FailedPreconditionError(
                           "this server takes no packages; expected one with allow_upload (--allow-upload)"),
                       "UPLOADS_OFF");
}

}  // namespace

// One stream. Its messages come one after the other, on a thread of `writer_`, as does the end of this, which
// removes files.
class ModelUploads::Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(ModelUploads* uploads, std::shared_ptr<ClientStreamCall> call)
      : uploads_(uploads), call_(std::move(call)) {}

  // Reads to the end, and answers.
  void Read() {
    ReadRequest<v1::UploadModelRequest>(*call_, [self = shared_from_this()](Message message) mutable {
      WorkerPool& writer = self->uploads_->writer_;
      writer.Schedule([self = std::move(self), message = std::move(message)]() mutable {
        self->OnMessage(std::move(message));
      });
    });
  }

 private:
  using Message = absl::StatusOr<std::optional<v1::UploadModelRequest>>;

  void OnMessage(Message message);
  absl::Status OnHeader(v1::UploadModelRequest::Header&& header);
  absl::Status OnData(absl::string_view bytes);
  void OnEnd();
  void Install();

  // Leaves nothing behind, then answers.
  void End(absl::StatusOr<grpc::ByteBuffer> reply) {
    staged_.reset();
    --uploads_->under_way_;
    call_->Answer(std::move(reply));
  }

  ModelUploads* const uploads_;
  const std::shared_ptr<ClientStreamCall> call_;
  std::unique_ptr<PackageStaging> staged_;  // From the header on.
  std::string digest_;
  bool replace_ = false;
};

void ModelUploads::Upload::OnMessage(Message message) {
  if (!message.ok()) return End(message.status());
  if (!message->has_value()) return OnEnd();
  absl::Status taken;
  switch ((*message)->part_case()) {
    case v1::UploadModelRequest::kHeader:
      taken = OnHeader(std::move(*(*message)->mutable_header()));
      break;
    case v1::UploadModelRequest::kData:
      taken = OnData((*message)->data());
      break;
    case v1::UploadModelRequest::PART_NOT_SET:
      taken = absl::InvalidArgumentError("the message is neither header nor data");
      break;
  }
  if (!taken.ok()) return End(taken);
  Read();
}

absl::Status ModelUploads::Upload::OnHeader(v1::UploadModelRequest::Header&& header) {
  if (staged_ != nullptr) return absl::InvalidArgumentError("the stream has a second header; expected data");
  if (absl::Status named = CheckModelName(header.name()); !named.ok()) return named;
  std::vector<PackageFile> files;
  for (auto& file : *header.mutable_files())
    files.push_back({std::move(*file.mutable_path()), file.byte_count()});
  if (absl::Status fits = CheckPackageFiles(files, uploads_->options_.max_bytes); !fits.ok()) return fits;
  digest_ = std::move(*header.mutable_digest());
  replace_ = header.replace();
  absl::StatusOr<std::unique_ptr<PackageStaging>> staged =
      PackageStaging::Make(uploads_->models_->root(), std::move(*header.mutable_name()), std::move(files));
  if (!staged.ok()) return staged.status();
  staged_ = *std::move(staged);
  return absl::OkStatus();
}

absl::Status ModelUploads::Upload::OnData(absl::string_view bytes) {
  if (staged_ == nullptr) return absl::InvalidArgumentError("the first message of the stream is not header");
  return staged_->Write(bytes);
}

void ModelUploads::Upload::OnEnd() {
  if (staged_ == nullptr) return End(absl::InvalidArgumentError("the stream ended before its header"));
  if (absl::Status whole = staged_->Finish(); !whole.ok()) return End(whole);
  uploads_->loader_->Schedule([self = shared_from_this()] { self->Install(); });
}

void ModelUploads::Upload::Install() {
  if (absl::Status waits = call_->context().Check(); !waits.ok()) return End(waits);
  ModelRepository& models = *uploads_->models_;
  const absl::StatusOr<std::shared_ptr<const Model>> installed = models.Install(*staged_, digest_, replace_);
  if (!installed.ok()) return End(installed.status());
  spdlog::info("model {} revision {} was uploaded", (*installed)->name(), (*installed)->revision());
  const absl::StatusOr<ModelStatus> status = models.Status(staged_->name());
  if (!status.ok()) return End(status.status());
  v1::UploadModelResponse reply;
  *reply.mutable_model() = Encode(*status);
  End(Serialize(reply));
}

ModelUploads::ModelUploads(ModelRepository* models, const UploadOptions& options, WorkerPool* loader)
    : models_(models), options_(options), loader_(loader), writer_(1, kMaxUploads) {
  if (options_.allowed) PackageStaging::RemoveLeftovers(models_->root());
}

void ModelUploads::Serve(std::shared_ptr<ClientStreamCall> call) {
  if (!options_.allowed) return call->Answer(UploadsOff());
  if (++under_way_ > kMaxUploads) {
    --under_way_;
    return call->Answer(QueueFull("the queue of uploads", kMaxUploads));
  }
  std::make_shared<Upload>(this, std::move(call))->Read();
}

}  // namespace stepwell::server
