// Makes a state of the model "counter", steps it, reads an array by its index, and forks it.
//
//   step_and_fork ADDRESS        the server must serve the model "counter"
#include <cstdlib>
#include <iostream>

#include "stepwell/client/client.h"

namespace {

using stepwell::Array;
using stepwell::client::Client;
using stepwell::client::IndexPath;
using stepwell::client::StateRef;
using stepwell::client::Version;

// The state array `count` of `state`.
absl::StatusOr<int32_t> ReadCount(Client& client, const StateRef& state) {
  const auto read = client.GetArrays({.state = state, .selectors = {{IndexPath{"count"}}}});
  if (!read.ok()) return read.status();
  const auto elements = read->arrays.at(0).second.As<int32_t>();  // A span over the reply.
  if (!elements.ok()) return elements.status();
  return elements->at(0);
}

absl::Status Run(Client& client) {
  const auto made = client.MakeState({.model = "counter"});
  if (!made.ok()) return made.status();
  const Version root{made->snapshot().version()};

  const auto stepped = client.Step({.state = root, .inputs = {{"x", Array::Scalar<int32_t>(5)}}});
  if (!stepped.ok()) return stepped.status();

  // The root is as it was, and stepping it again makes a second child of it.
  const auto fork = client.Step({.state = root, .inputs = {{"x", Array::Scalar<int32_t>(-1)}}});
  if (!fork.ok()) return fork.status();

  for (const Version version : {root, stepped->version, fork->version}) {
    const auto count = ReadCount(client, version);
    if (!count.ok()) return count.status();
    std::cout << "version " << version.value << ": count " << *count << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: step_and_fork ADDRESS\n";
    return 2;
  }
  const auto client = Client::Connect({.address = argv[1]});
  const absl::Status status = Run(*client);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
