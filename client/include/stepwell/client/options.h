#ifndef STEPWELL_CLIENT_OPTIONS_H_
#define STEPWELL_CLIENT_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "grpcpp/security/credentials.h"

namespace stepwell::client {

/// How a call that fails with UNAVAILABLE is repeated, if it may be: it is a read, or has a request_id. The
/// n-th pause is chosen at random between half and all of initial_backoff * multiplier^(n-1), at most
/// max_backoff. The two bounds are also those of the channel's own pauses, after which it tries to connect.
struct RetryOptions {
  int max_attempts = 5;  ///< The first among them; 1: never repeat.
  absl::Duration initial_backoff = absl::Milliseconds(100);
  double multiplier = 2;
  absl::Duration max_backoff = absl::Seconds(5);
};

struct ClientOptions {
  std::string address = "127.0.0.1:7350";                 ///< "HOST:PORT" or "unix:PATH".
  std::shared_ptr<grpc::ChannelCredentials> credentials;  ///< Null: plain text, for this machine.
  absl::Duration default_timeout = absl::Seconds(30);     ///< Of a call with all its attempts.
  int64_t max_reply_bytes = int64_t{256} << 20;  ///< A larger message is refused with RESOURCE_EXHAUSTED.
  RetryOptions retry;
  /// After how long without a word from the server a connection with calls on it asks whether the server is
  /// still there. Servers of Stepwell close a connection that asks more often than every 10 s.
  /// InfiniteDuration: never; a watch or a stream may then wait for ever for a server that is gone.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(20);  ///< Without an answer: its calls are UNAVAILABLE.
  /// How to pause before a repeat, for tests: it is called on the thread that would go on, which in an
  /// AsyncClient is one of gRPC. Null: the calling thread sleeps; an AsyncClient sets a timer.
  absl::AnyInvocable<void(absl::Duration) const> sleep;
};

struct CallOptions {
  absl::Duration timeout = absl::ZeroDuration();  ///< 0: ClientOptions::default_timeout.
  /// Called by ReadArrays as bytes come, and by UploadModel as they go, on the calling thread (in an
  /// AsyncClient, on one of gRPC): once with 0 when the total is known, then after each chunk. Counts over
  /// all attempts, so it never goes back. Null: not called.
  std::function<void(int64_t done_bytes, int64_t total_bytes)> on_progress;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_OPTIONS_H_
