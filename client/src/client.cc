#include "stepwell/client/client.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/src/convert.h"
#include "client/src/retry.h"
#include "client/src/status.h"
#include "grpcpp/create_channel.h"

namespace stepwell::client {
namespace {

// One call of a unary RPC with all its attempts.
template <typename Reply, typename Stub, typename Request>
absl::Status Call(const ClientOptions& options, absl::Time deadline, bool may_repeat, Stub& stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                  const Request& request, Reply& reply) {
  return Retry(options, deadline, may_repeat, [&] {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    reply.Clear();
    return FromGrpcStatus((stub.*method)(&context, request, &reply));
  });
}

// Gathers the messages of ReadArrays, over as many streams as it takes. Thread-compatible.
class ArrayReader {
 public:
  // `options` must outlive this.
  explicit ArrayReader(const CallOptions& options) : options_(options) {}

  // Takes one stream as far as it goes.
  absl::Status Read(v1::StateService::StubInterface& stub, absl::Time deadline,
                    v1::ReadArraysRequest request) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    if (header_.has_value()) {  // The state that the first stream read, though the branch may have moved.
      request.mutable_state()->set_version(header_->version());
      request.set_byte_offset(received_);
    }
    const auto stream = stub.ReadArrays(&context, request);
    v1::ReadArraysResponse message;
    absl::Status fault;
    while (fault.ok() && stream->Read(&message)) {
      fault = message.has_header() ? OnHeader(std::move(*message.mutable_header())) : OnData(message.data());
    }
    if (!fault.ok()) context.TryCancel();
    const absl::Status finished = FromGrpcStatus(stream->Finish());
    if (!fault.ok()) return fault;
    if (!finished.ok()) return finished;
    if (header_.has_value() && received_ == header_->byte_count()) return absl::OkStatus();
    return absl::InternalError("the server ended the stream before all bytes had come");
  }

  absl::StatusOr<GetArraysResult> Finish() {
    GetArraysResult result{{header_->version()}, {}};
    for (int i = 0; i < header_->arrays_size(); ++i) {
      const auto& described = header_->arrays(i);
      absl::StatusOr<Array> array = Array::Make(static_cast<DType>(described.dtype()), described.shape(),
                                                std::move(buffers_[static_cast<size_t>(i)]).Freeze());
      if (!array.ok())
        return absl::InternalError(absl::StrCat("the server sent no array: ", array.status().message()));
      result.arrays.emplace_back(described.name(), *std::move(array));
    }
    return result;
  }

 private:
  absl::Status OnHeader(v1::ReadArraysResponse::Header&& header) {
    if (header_.has_value()) return absl::OkStatus();  // Of a stream that goes on: it says the same.
    int64_t bytes = 0;
    for (const auto& described : header.arrays()) {
      if (described.byte_count() < 0 || !v1::DType_IsValid(described.dtype()) || described.dtype() == 0) {
        return absl::InternalError("the server sent a header that describes no array");
      }
      buffers_.push_back(MutableBuffer::Allocate(static_cast<size_t>(described.byte_count())));
      bytes += described.byte_count();
    }
    if (bytes != header.byte_count()) return absl::InternalError("the server's header contradicts itself");
    header_ = std::move(header);
    ReportProgress();
    return absl::OkStatus();
  }

  absl::Status OnData(absl::string_view data) {
    if (!header_.has_value() || received_ + static_cast<int64_t>(data.size()) > header_->byte_count()) {
      return absl::InternalError("the server sent bytes that its header does not announce");
    }
    received_ += static_cast<int64_t>(data.size());
    while (!data.empty()) {
      MutableBuffer& buffer = buffers_[array_];
      const size_t size = std::min(data.size(), buffer.size() - at_);
      std::memcpy(buffer.data() + at_, data.data(), size);
      data.remove_prefix(size);
      at_ += size;
      if (at_ == buffer.size()) {
        ++array_;
        at_ = 0;
      }
    }
    ReportProgress();
    return absl::OkStatus();
  }

  void ReportProgress() const {
    if (options_.on_progress != nullptr) options_.on_progress(received_, header_->byte_count());
  }

  const CallOptions& options_;
  std::optional<v1::ReadArraysResponse::Header> header_;
  std::vector<MutableBuffer> buffers_;
  int64_t received_ = 0;
  size_t array_ = 0;  // That the next byte belongs to.
  size_t at_ = 0;     // And where in it.
};

}  // namespace

std::unique_ptr<Client> Client::Connect(ClientOptions options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(std::min<int64_t>(options.max_reply_bytes, INT32_MAX)));
  arguments.SetUserAgentPrefix("stepwell-client");
  const auto credentials =
      options.credentials != nullptr ? options.credentials : grpc::InsecureChannelCredentials();
  const auto channel = grpc::CreateCustomChannel(options.address, credentials, arguments);
  return std::make_unique<Client>(
      Stubs{v1::ModelService::NewStub(channel), v1::StateService::NewStub(channel),
            v1::BranchService::NewStub(channel)},
      std::move(options));
}

Client::Client(Stubs stubs, ClientOptions options) : stubs_(std::move(stubs)), options_(std::move(options)) {}

absl::Time Client::Deadline(const CallOptions& options) const {
  return absl::Now() + (options.timeout > absl::ZeroDuration() ? options.timeout : options_.default_timeout);
}

absl::StatusOr<v1::ModelInfo> Client::LoadModel(const std::string& name, const CallOptions& options) {
  v1::LoadModelRequest request;
  request.set_name(name);
  v1::LoadModelResponse reply;
  // Loading what is loaded changes nothing: it may be repeated as a read may.
  const absl::Status status = Call(options_, Deadline(options), true, *stubs_.models,
                                   &v1::ModelService::StubInterface::LoadModel, request, reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_model());
}

absl::Status Client::UnloadModel(const std::string& name, const CallOptions& options) {
  v1::UnloadModelRequest request;
  request.set_name(name);
  v1::UnloadModelResponse reply;
  return Call(options_, Deadline(options), false, *stubs_.models,
              &v1::ModelService::StubInterface::UnloadModel, request, reply);
}

absl::StatusOr<v1::ModelInfo> Client::GetModel(const std::string& name, const CallOptions& options) {
  v1::GetModelRequest request;
  request.set_name(name);
  v1::GetModelResponse reply;
  const absl::Status status = Call(options_, Deadline(options), true, *stubs_.models,
                                   &v1::ModelService::StubInterface::GetModel, request, reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_model());
}

absl::StatusOr<std::vector<v1::ModelInfo>> Client::ListModels(const CallOptions& options) {
  const absl::Time deadline = Deadline(options);
  std::vector<v1::ModelInfo> models;
  v1::ListModelsRequest request;
  do {
    v1::ListModelsResponse reply;
    const absl::Status status = Call(options_, deadline, true, *stubs_.models,
                                     &v1::ModelService::StubInterface::ListModels, request, reply);
    if (!status.ok()) return status;
    for (v1::ModelInfo& model : *reply.mutable_models()) models.push_back(std::move(model));
    request.set_page_token(reply.next_page_token());
  } while (!request.page_token().empty());
  return models;
}

absl::StatusOr<v1::MakeStateResponse> Client::MakeState(const MakeStateRequest& request,
                                                        const CallOptions& options) {
  v1::MakeStateResponse reply;
  const absl::Status status = Call(options_, Deadline(options), !request.request_id.empty(), *stubs_.states,
                                   &v1::StateService::StubInterface::MakeState, ToProto(request), reply);
  if (!status.ok()) return status;
  return reply;
}

absl::StatusOr<StepResult> Client::Step(const StepRequest& request, const CallOptions& options) {
  const auto reply = std::make_shared<v1::StepResponse>();
  const absl::Status status = Call(options_, Deadline(options), !request.request_id.empty(), *stubs_.states,
                                   &v1::StateService::StubInterface::Step, ToProto(request), *reply);
  if (!status.ok()) return status;
  return FromProto(std::shared_ptr<const v1::StepResponse>(reply));
}

absl::StatusOr<v1::Snapshot> Client::SetArrays(const SetArraysRequest& request, const CallOptions& options) {
  v1::SetArraysResponse reply;
  const absl::Status status = Call(options_, Deadline(options), !request.request_id.empty(), *stubs_.states,
                                   &v1::StateService::StubInterface::SetArrays, ToProto(request), reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_snapshot());
}

absl::StatusOr<GetArraysResult> Client::GetArrays(const GetArraysRequest& request,
                                                  const CallOptions& options) {
  const auto reply = std::make_shared<v1::GetArraysResponse>();
  const absl::Status status = Call(options_, Deadline(options), true, *stubs_.states,
                                   &v1::StateService::StubInterface::GetArrays, ToProto(request), *reply);
  if (!status.ok()) return status;
  return FromProto(std::shared_ptr<const v1::GetArraysResponse>(reply));
}

absl::StatusOr<GetArraysResult> Client::ReadArrays(const GetArraysRequest& request,
                                                   const CallOptions& options) {
  v1::GetArraysRequest asked = ToProto(request);
  v1::ReadArraysRequest message;
  message.mutable_state()->Swap(asked.mutable_state());
  message.mutable_selectors()->Swap(asked.mutable_selectors());
  const absl::Time deadline = Deadline(options);
  ArrayReader reader(options);
  const absl::Status status =
      Retry(options_, deadline, true, [&] { return reader.Read(*stubs_.states, deadline, message); });
  if (!status.ok()) return status;
  return reader.Finish();
}

absl::StatusOr<v1::Snapshot> Client::GetSnapshot(const StateRef& state, const CallOptions& options) {
  v1::GetSnapshotRequest request;
  *request.mutable_state() = ToProto(state);
  v1::GetSnapshotResponse reply;
  const absl::Status status = Call(options_, Deadline(options), true, *stubs_.states,
                                   &v1::StateService::StubInterface::GetSnapshot, request, reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_snapshot());
}

absl::StatusOr<v1::Branch> Client::CreateBranch(const std::string& name, const StateRef& state,
                                                const Labels& labels, const CallOptions& options) {
  v1::CreateBranchRequest request;
  request.set_name(name);
  *request.mutable_state() = ToProto(state);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  v1::CreateBranchResponse reply;
  const absl::Status status = Call(options_, Deadline(options), false, *stubs_.branches,
                                   &v1::BranchService::StubInterface::CreateBranch, request, reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_branch());
}

absl::StatusOr<v1::Branch> Client::GetBranch(const std::string& name, const CallOptions& options) {
  v1::GetBranchRequest request;
  request.set_name(name);
  v1::GetBranchResponse reply;
  const absl::Status status = Call(options_, Deadline(options), true, *stubs_.branches,
                                   &v1::BranchService::StubInterface::GetBranch, request, reply);
  if (!status.ok()) return status;
  return std::move(*reply.mutable_branch());
}

}  // namespace stepwell::client
