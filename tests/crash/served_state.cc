#include "tests/crash/served_state.h"

#include <algorithm>
#include <utility>

#include "absl/synchronization/blocking_counter.h"
#include "tests/crash/ledger.h"
#include "tests/crash/patience.h"

namespace stepwell::testing {
namespace {

// Reads that are under way at the same time.
constexpr size_t kTogether = 256;
constexpr int kPage = 200;  // Of which the last is read in vain.

FoundSnapshot FromMessage(const v1::Snapshot& message) {
  FoundSnapshot found{.version = message.version(),
                      .model = message.model(),
                      .labels = {message.labels().begin(), message.labels().end()},
                      .pinned = message.pinned(),
                      .durable = message.durable()};
  if (message.has_parent()) found.parent = message.parent();
  return found;
}

// What `start` reads of each version, in the order of the versions; it is given where the answer belongs.
template <typename T, typename Start>
std::vector<absl::StatusOr<T>> ReadEach(const std::vector<int64_t>& versions, Start start) {
  std::vector<absl::StatusOr<T>> results(versions.size(), absl::UnknownError("not answered"));
  for (size_t begin = 0; begin < versions.size(); begin += kTogether) {
    const size_t end = std::min(begin + kTogether, versions.size());
    absl::BlockingCounter answers(static_cast<int>(end - begin));
    for (size_t i = begin; i < end; ++i) {
      start(versions[i], [result = &results[i], &answers](absl::StatusOr<T> read) {
        *result = std::move(read);
        answers.DecrementCount();
      });
    }
    answers.Wait();
  }
  return results;
}

}  // namespace

ServedState::ServedState(const std::string& address, std::vector<std::string> models)
    : models_(std::move(models)),
      client_(client::Client::Connect(PatientOptions(address))),
      async_client_(client::AsyncClient::Connect(PatientOptions(address))) {}

absl::StatusOr<std::vector<FoundSnapshot>> ServedState::SnapshotsAfter(int64_t version) {
  std::vector<FoundSnapshot> found;
  for (const std::string& model : models_) {
    client::ListSnapshotsRequest request{.of = model, .page_size = kPage};
    do {
      const auto page = client_->ListSnapshots(request);
      if (!page.ok()) return page.status();
      request.page_token = page->next_page_token();
      for (const v1::Snapshot& snapshot : page->snapshots()) {
        if (snapshot.version() > version) {
          found.push_back(FromMessage(snapshot));
        } else {
          request.page_token.clear();  // The others are older still.
        }
      }
    } while (!request.page_token.empty());
  }
  std::sort(found.begin(), found.end(),
            [](const FoundSnapshot& a, const FoundSnapshot& b) { return a.version < b.version; });
  return found;
}

absl::StatusOr<std::map<std::string, int64_t>> ServedState::Branches() {
  std::map<std::string, int64_t> branches;
  client::ListBranchesRequest request{.page_size = kPage};
  do {
    const auto page = client_->ListBranches(request);
    if (!page.ok()) return page.status();
    for (const v1::Branch& branch : page->branches()) branches[branch.name()] = branch.head();
    request.page_token = page->next_page_token();
  } while (!request.page_token.empty());
  return branches;
}

std::vector<absl::StatusOr<FoundSnapshot>> ServedState::Snapshots(const std::vector<int64_t>& versions) {
  return ReadEach<FoundSnapshot>(versions, [this](int64_t version, auto done) {
    async_client_->GetSnapshot(client::Version{version}, [done](const absl::StatusOr<v1::Snapshot>& read) {
      if (!read.ok()) return done(read.status());
      done(FromMessage(*read));
    });
  });
}

std::vector<absl::StatusOr<std::string>> ServedState::States(const std::vector<int64_t>& versions) {
  return ReadEach<std::string>(versions, [this](int64_t version, auto done) {
    async_client_->GetArrays({.state = client::Version{version}},
                             [done](const absl::StatusOr<client::GetArraysResult>& read) {
                               if (!read.ok()) return done(read.status());
                               done(BytesOf(read->arrays));
                             });
  });
}

absl::StatusOr<std::string> ServedState::StateAfterStep(int64_t version, const Array& x) {
  const auto stepped = client_->Step({.state = client::Version{version},
                                      .inputs = {{"x", x}},
                                      .fetch = {{client::IndexSubtree{""}, {}}},
                                      .keep = false});
  if (!stepped.ok()) return stepped.status();
  return BytesOf(stepped->fetched);
}

}  // namespace stepwell::testing
