#ifndef STEPWELL_TESTS_E2E_TCP_PROXY_H_
#define STEPWELL_TESTS_E2E_TCP_PROXY_H_

#include <cstdint>
#include <list>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace stepwell::testing {

// A network between client and server that a test can break. Thread-safe.
class TcpProxy {
 public:
  // Passes on what comes in at address() to `target`, "127.0.0.1:PORT", and back.
  explicit TcpProxy(const std::string& target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  const std::string& address() const { return address_; }

  // Breaks every connection. New ones are taken as before.
  void Cut() ABSL_LOCKS_EXCLUDED(mutex_);

  // Each of the next `cuts` connections on which the server says more than `reply_bytes` breaks behind these.
  void CutAfterReplies(int64_t reply_bytes, int cuts) ABSL_LOCKS_EXCLUDED(mutex_);
  // How many have broken so.
  int cuts_after_replies() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on, what the server says on the connections that there are is lost.
  void LoseReplies() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on, whatever is said on the connections that there are is lost, as if the other side were gone.
  void FallSilent() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Connection {
    int client = -1;
    int server = -1;
    bool lose_requests = false;
    bool lose_replies = false;
    int64_t reply_bytes = 0;
    std::thread requests;
    std::thread replies;
  };

  void Accept();
  void Pass(Connection& connection, bool replies) ABSL_LOCKS_EXCLUDED(mutex_);
  // How many of `count` more bytes of replies pass before the connection is to be cut.
  int64_t CountReplies(Connection& connection, int64_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int target_port_;
  int listener_ = -1;
  std::string address_;
  std::thread accepting_;

  absl::Mutex mutex_;
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  int64_t cut_after_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int cuts_left_ ABSL_GUARDED_BY(mutex_) = 0;
  int cuts_after_replies_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_TCP_PROXY_H_
