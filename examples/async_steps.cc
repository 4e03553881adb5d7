// Advances many states of the model "counter" at once: each has one step outstanding, and its callback starts
// the next.
//
//   async_steps ADDRESS          the server must serve the model "counter"
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "stepwell/client/async_client.h"
#include "stepwell/client/client.h"

namespace {

using stepwell::Array;
using stepwell::client::AsyncClient;
using stepwell::client::Client;
using stepwell::client::StepResult;
using stepwell::client::Version;

constexpr int kStreams = 64;
constexpr int kStepsPerStream = 50;

// A state that steps itself until it has gone far enough or a step fails. The callbacks of one stream come
// one after the other, so its members need no lock.
class Stream {
 public:
  Stream(AsyncClient* client, Version version, absl::BlockingCounter* finished)
      : client_(client), version_(version), finished_(finished) {}

  void Step() {
    client_->Step({.state = version_, .inputs = {{"x", Array::Scalar<int32_t>(1)}}},
                  [this](absl::StatusOr<StepResult> result) { OnStep(std::move(result)); });
  }

  const absl::Status& status() const { return status_; }
  int steps() const { return steps_; }

 private:
  void OnStep(absl::StatusOr<StepResult> result) {
    if (result.ok()) {
      version_ = result->version;
      ++steps_;
    } else {
      status_ = result.status();
    }
    if (status_.ok() && steps_ < kStepsPerStream) {
      Step();
    } else {
      finished_->DecrementCount();
    }
  }

  AsyncClient* const client_;
  Version version_;
  absl::BlockingCounter* const finished_;
  absl::Status status_;
  int steps_ = 0;
};

absl::Status Run(const std::string& address) {
  const auto made = Client::Connect({.address = address})->MakeState({.model = "counter"});
  if (!made.ok()) return made.status();

  absl::BlockingCounter finished(kStreams);
  std::vector<std::unique_ptr<Stream>> streams;
  const auto client = AsyncClient::Connect({.address = address});  // Goes first: callbacks use the above.
  const absl::Time start = absl::Now();
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(std::make_unique<Stream>(client.get(), Version{made->snapshot().version()}, &finished));
    streams.back()->Step();
  }
  finished.Wait();
  const absl::Duration took = absl::Now() - start;

  int steps = 0;
  for (const auto& stream : streams) {
    if (!stream->status().ok()) return stream->status();
    steps += stream->steps();
  }
  std::cout << steps << " steps of " << kStreams << " states in " << took << "\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: async_steps ADDRESS\n";
    return 2;
  }
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
