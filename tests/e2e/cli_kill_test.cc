// `stepwell stream` at sync durability, while its server is killed and started again: nothing is lost,
// nothing is done twice, and the command goes on by itself.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/cli_fixture.h"
#include "tests/e2e/program.h"

namespace stepwell::testing {
namespace {

using nlohmann::json;

constexpr int kKills = 3;

class CliKillTest : public CliTest {
 protected:
  // How many lines are streamed; the environment may ask for more.
  static size_t Lines() {
    const char* asked = std::getenv("STEPWELL_KILLED_STREAM_LINES");
    size_t lines = 600;  // Each of them waits for the disk.
    if (asked != nullptr) {
      EXPECT_TRUE(absl::SimpleAtoi(asked, &lines)) << asked;
    }
    return lines;
  }

  // On the same directory and, after the first time, at the same address: one that no connection of another
  // program takes for its own end while the server is away.
  void StartDurable() {
    const std::string listen = durable_.has_value() ? durable_->address() : "127.0.0.3:0";
    durable_.emplace(
        folder_ / "models",
        std::vector<std::string>{"--durability", "SYNC", "--data-dir", (folder_ / "data").string()}, listen);
  }
  void KillAndStart() {
    durable_->Kill();
    StartDurable();
  }
  json Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", durable_->address()});
    return Json(arguments);
  }
  // The branch's versions, oldest first.
  std::vector<std::string> History(const std::string& branch, size_t limit) {
    std::vector<std::string> history;
    const std::string log =
        Text({"log", branch, "--limit", absl::StrCat(limit), "--server", durable_->address()});
    for (const absl::string_view line : absl::StrSplit(log, '\n', absl::SkipEmpty())) {
      history.emplace_back(line.substr(2, line.find(' ', 2) - 2));
    }
    std::reverse(history.begin(), history.end());
    return history;
  }

  std::optional<ServerProcess> durable_;
};

TEST_F(CliKillTest, StreamOutlivesItsServerThreeTimes) {
  const size_t lines = Lines();
  StartDurable();
  std::vector<std::string> versions = {Ask({"make", "counter", "-b", "live"}).at("version").dump()};
  std::ofstream in(File("lines"));
  for (size_t i = 0; i < lines; ++i) in << "{\"x\": 1}\n";
  in.close();
  std::FILE* input = std::fopen(File("lines").c_str(), "r");
  ASSERT_NE(input, nullptr);
  Program stream({STEPWELL, "stream", "live", "--server", durable_->address()}, fileno(input));
  std::fclose(input);
  ASSERT_TRUE(stream.is_started());

  int kills = 0;
  while (const std::optional<std::string> line = stream.ReadLine()) {
    const json answer = json::parse(*line);
    ASSERT_EQ(answer["outputs"]["y"]["value"], versions.size()) << *line;
    versions.push_back(answer["version"].dump());
    // Many steps are under way, some done and not answered.
    if (kills < kKills && versions.size() > (kills + 1) * lines / (kKills + 1)) {
      KillAndStart();
      ++kills;
    }
  }
  EXPECT_EQ(stream.Wait(), 0);
  EXPECT_EQ(kills, kKills);
  EXPECT_EQ(versions.size(), lines + 1);
  KillAndStart();
  EXPECT_EQ(Ask({"snapshot", "live"})["step_count"], lines);
  EXPECT_EQ(Ask({"get", "live", "count"})["arrays"]["count"]["value"], lines);
  EXPECT_TRUE(History("live", 2 * lines) == versions) << "what was answered is not what happened";
}

}  // namespace
}  // namespace stepwell::testing
