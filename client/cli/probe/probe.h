#ifndef STEPWELL_CLIENT_CLI_PROBE_PROBE_H_
#define STEPWELL_CLIENT_CLI_PROBE_PROBE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

// What any gRPC server can be asked.
namespace stepwell::cli {

struct Health {
  std::string status;                       // "SERVING", "NOT_SERVING" or "UNKNOWN".
  std::vector<absl::Duration> round_trips;  // Of each call, shortest first.
};

// Asks the standard health service `calls` times, after one that makes the connection.
absl::StatusOr<Health> CheckHealth(const std::shared_ptr<grpc::Channel>& channel, int calls,
                                   absl::Time deadline);

// The names of the server's services, by reflection.
absl::StatusOr<std::vector<std::string>> ListServices(const std::shared_ptr<grpc::Channel>& channel,
                                                      absl::Time deadline);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_PROBE_PROBE_H_
