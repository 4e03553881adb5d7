#include "client/cli/probe/probe.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "client/cli/probe/health.grpc.pb.h"
#include "client/cli/probe/reflection.grpc.pb.h"

namespace stepwell::cli {
namespace {

absl::Status ToStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace

absl::StatusOr<Health> CheckHealth(const std::shared_ptr<grpc::Channel>& channel, int calls,
                                   absl::Time deadline) {
  using grpc::health::v1::HealthCheckResponse;
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  Health health;
  for (int call = 0; call <= calls; ++call) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    HealthCheckResponse reply;
    const absl::Time start = absl::Now();
    const absl::Status status = ToStatus(stub->Check(&context, {}, &reply));
    if (!status.ok()) return status;
    if (call > 0) health.round_trips.push_back(absl::Now() - start);
    health.status = HealthCheckResponse::ServingStatus_Name(reply.status());
  }
  std::sort(health.round_trips.begin(), health.round_trips.end());
  return health;
}

absl::StatusOr<std::vector<std::string>> ListServices(const std::shared_ptr<grpc::Channel>& channel,
                                                      absl::Time deadline) {
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  request.set_list_services("*");
  grpc::reflection::v1alpha::ServerReflectionResponse reply;
  const bool answered = stream->Write(request) && stream->Read(&reply);
  stream->WritesDone();
  const absl::Status status = ToStatus(stream->Finish());
  if (!status.ok()) return status;
  if (!answered) return absl::InternalError("the server's reflection service did not answer");
  std::vector<std::string> names;
  for (const auto& service : reply.list_services_response().service()) names.push_back(service.name());
  return names;
}

}  // namespace stepwell::cli
