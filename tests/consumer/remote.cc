// remote ADDRESS: steps the model "counter" of the server there.
#include <iostream>

#include "stepwell/client/client.h"

int main(int argc, char** argv) {
  using namespace stepwell;
  if (argc != 2) return 2;
  const auto client = client::Client::Connect({.address = argv[1]});
  const auto made = client->MakeState({.model = "counter"});
  if (!made.ok()) {
    std::cerr << made.status() << "\n";
    return 1;
  }
  const auto stepped = client->Step({.state = client::Version{made->snapshot().version()},
                                     .inputs = {{"x", Array::Scalar<int32_t>(5)}},
                                     .fetch = {{client::IndexPath{"count"}, {}}}});
  if (!stepped.ok()) {
    std::cerr << stepped.status() << "\n";
    return 1;
  }
  const int32_t count = stepped->fetched.at(0).second.As<int32_t>().value()[0];
  std::cout << "count is " << count << "\n";
  return count == 5 ? 0 : 1;
}
