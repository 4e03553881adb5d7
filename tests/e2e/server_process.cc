#include "tests/e2e/server_process.h"

#include <algorithm>
#include <csignal>

#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace stepwell::testing {

ServerProcess::ServerProcess(const std::filesystem::path& models, const std::vector<std::string>& flags,
                             const std::string& listen) {
  std::vector<std::string> arguments = {STEPWELLD, "--models",    models.string(), "--listen",
                                        listen,    "--log-level", "error"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  if (std::ranges::find(flags, "--data-dir") == flags.end()) arguments.push_back("--in-memory");
  program_.emplace(std::move(arguments));
  Start();
}

void ServerProcess::Start() {
  ASSERT_TRUE(program_->is_started()) << "cannot start " << STEPWELLD;
  const std::string line = program_->ReadLine().value_or("");
  absl::string_view address = line;
  ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on "))
      << STEPWELLD << " did not say where it listens; its log is above";
  address_ = std::string(address);
}

ServerProcess::~ServerProcess() {
  if (program_->pid() > 0) {
    EXPECT_EQ(Stop(), 0);
  }
}

void ServerProcess::Kill() {
  program_->Signal(SIGKILL);
  EXPECT_EQ(program_->Wait(), -SIGKILL) << "it had ended by itself";
}

int ServerProcess::Stop() {
  program_->Signal(SIGTERM);
  return program_->Wait();
}

}  // namespace stepwell::testing
