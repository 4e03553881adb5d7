#include "server/health/health_probe.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "server/health/health.grpc.pb.h"

namespace stepwell::server {
namespace {

namespace health = ::grpc::health::v1;

// gRPC itself would take any text for a name to look up, and a missing port for 443.
bool IsAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return address.size() > 5;
  const size_t colon = address.rfind(':');
  int port = 0;
  return colon != std::string::npos && colon > 0 && absl::SimpleAtoi(address.substr(colon + 1), &port) &&
         port > 0 && port <= std::numeric_limits<uint16_t>::max();
}

}  // namespace

absl::Status ProbeHealth(const std::string& address, absl::Duration timeout) {
  if (!IsAddress(address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the address is \"", address, "\"; expected HOST:PORT or unix:PATH"));
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // The server itself is asked, not a proxy on the way out.
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  health::HealthCheckResponse response;
  const grpc::Status status =
      health::Health::NewStub(channel)->Check(&context, health::HealthCheckRequest(), &response);
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        absl::StrCat("no answer from ", address, ": ", status.error_message()));
  }
  if (response.status() != health::HealthCheckResponse::SERVING) {
    return absl::FailedPreconditionError(
        absl::StrCat(address, " says ", health::HealthCheckResponse::ServingStatus_Name(response.status())));
  }
  return absl::OkStatus();
}

}  // namespace stepwell::server
