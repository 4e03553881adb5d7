#include "tests/e2e/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace stepwell::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int PortOf(absl::string_view address) {
  return std::stoi(std::string(address.substr(address.rfind(':') + 1)));
}

bool SendAll(int socket, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

TcpProxy::TcpProxy(const std::string& target) : target_port_(PortOf(target)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 16), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  accepting_ = std::thread([this] { Accept(); });
}

TcpProxy::~TcpProxy() {
  shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  Cut();
  std::list<Connection> connections;
  {
    const absl::MutexLock lock(&mutex_);
    connections.swap(connections_);
  }
  for (Connection& connection : connections) {
    connection.requests.join();
    connection.replies.join();
    close(connection.client);
    close(connection.server);
  }
  close(listener_);
}

void TcpProxy::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(target_port_);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      close(server);
      close(client);
      continue;
    }
    const int on = 1;
    for (const int socket : {client, server}) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const absl::MutexLock lock(&mutex_);
    Connection& connection = connections_.emplace_back();
    connection.client = client;
    connection.server = server;
    connection.requests = std::thread([this, &connection] { Pass(connection, false); });
    connection.replies = std::thread([this, &connection] { Pass(connection, true); });
  }
}

void TcpProxy::Pass(Connection& connection, bool replies) {
  int from = -1;
  int to = -1;
  {
    const absl::MutexLock lock(&mutex_);
    from = replies ? connection.server : connection.client;
    to = replies ? connection.client : connection.server;
  }
  char bytes[65536];
  while (true) {
    const ssize_t count = recv(from, bytes, sizeof(bytes), 0);
    if (count <= 0) break;
    bool lose = false;
    int64_t pass = count;
    {
      const absl::MutexLock lock(&mutex_);
      lose = replies ? connection.lose_replies : connection.lose_requests;
      if (replies) pass = CountReplies(connection, count);
    }
    if (!lose && !SendAll(to, absl::string_view(bytes, static_cast<size_t>(pass)))) break;
    if (pass < count) break;
  }
  shutdown(from, SHUT_RDWR);
  shutdown(to, SHUT_RDWR);
}

int64_t TcpProxy::CountReplies(Connection& connection, int64_t count) {
  const int64_t before = connection.reply_bytes;
  connection.reply_bytes += count;
  if (cuts_left_ == 0 || connection.reply_bytes <= cut_after_bytes_) return count;
  --cuts_left_;
  ++cuts_after_replies_;
  return std::max<int64_t>(cut_after_bytes_ - before, 0);
}

void TcpProxy::Cut() {
  const absl::MutexLock lock(&mutex_);
  for (const Connection& connection : connections_) {
    shutdown(connection.client, SHUT_RDWR);
    shutdown(connection.server, SHUT_RDWR);
  }
}

void TcpProxy::CutAfterReplies(int64_t reply_bytes, int cuts) {
  const absl::MutexLock lock(&mutex_);
  cut_after_bytes_ = reply_bytes;
  cuts_left_ = cuts;
}

int TcpProxy::cuts_after_replies() {
  const absl::MutexLock lock(&mutex_);
  return cuts_after_replies_;
}

void TcpProxy::LoseReplies() {
  const absl::MutexLock lock(&mutex_);
  for (Connection& connection : connections_) connection.lose_replies = true;
}

void TcpProxy::FallSilent() {
  const absl::MutexLock lock(&mutex_);
  for (Connection& connection : connections_) {
    connection.lose_requests = true;
    connection.lose_replies = true;
  }
}

}  // namespace stepwell::testing
