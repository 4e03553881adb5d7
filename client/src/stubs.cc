#include "stepwell/client/stubs.h"

#include <algorithm>
#include <limits>

#include "grpcpp/create_channel.h"

namespace stepwell::client {

Stubs ConnectStubs(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(options.max_reply_bytes, std::numeric_limits<int>::max())));
  arguments.SetUserAgentPrefix("stepwell-client");
  const auto credentials =
      options.credentials != nullptr ? options.credentials : grpc::InsecureChannelCredentials();
  const auto channel = grpc::CreateCustomChannel(options.address, credentials, arguments);
  return {v1::ModelService::NewStub(channel), v1::StateService::NewStub(channel),
          v1::BranchService::NewStub(channel)};
}

}  // namespace stepwell::client
