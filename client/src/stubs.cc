#include "stepwell/client/stubs.h"

#include <algorithm>
#include <limits>

#include "grpcpp/create_channel.h"

namespace stepwell::client {
namespace {

int ToMillis(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), std::numeric_limits<int>::max()));
}

}  // namespace

Stubs ConnectStubs(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(options.max_reply_bytes, std::numeric_limits<int>::max())));
  // A stream that waits would not notice that its server is gone without a word: ask, while calls run.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ToMillis(options.keepalive_time));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ToMillis(options.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // As many as it takes.
  // While a channel pauses, every call fails at once: the attempts would be used up before it tries again.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, ToMillis(options.retry.initial_backoff));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, ToMillis(options.retry.max_backoff));
  arguments.SetUserAgentPrefix("stepwell-client");
  const auto credentials =
      options.credentials != nullptr ? options.credentials : grpc::InsecureChannelCredentials();
  const auto channel = grpc::CreateCustomChannel(options.address, credentials, arguments);
  return {v1::ModelService::NewStub(channel), v1::StateService::NewStub(channel),
          v1::BranchService::NewStub(channel), v1::AdminService::NewStub(channel)};
}

}  // namespace stepwell::client
