// States that move from one server to another, through a file.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "stepwell/model/safetensors.h"
#include "tests/e2e/cli_process.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using client::BranchName;
using client::Client;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const char* const kModels = STEPWELL_SOURCE_DIR "/examples/models";

class CliMoveTest : public ::testing::Test {
 protected:
  CliMoveTest() { fs::create_directories(folder_); }
  ~CliMoveTest() override { fs::remove_all(folder_); }

  static Finished Run(const ServerProcess& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {STEPWELL, "--server", server.address()});
    return RunProgram(arguments);
  }
  static std::string Text(const ServerProcess& server, const std::vector<std::string>& arguments) {
    const Finished finished = Run(server, arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  static std::string Read(const std::string& file) {
    std::ostringstream content;
    content << std::ifstream(file, std::ios::binary).rdbuf();
    return content.str();
  }

  // The i-th input of a stream that goes on for ever.
  static Array Input(int64_t width, int i) {
    std::vector<float> elements;
    for (int64_t j = 0; j < width; ++j) {
      elements.push_back(static_cast<float>((i * 31 + static_cast<int>(j) * 17) % 97) / 97 - 0.5F);
    }
    return Array::From<float>({width}, elements).value();
  }
  // What steps [begin, end) of branch "live" return.
  static std::vector<Array> Step(Client& client, int64_t width, int begin, int end) {
    std::vector<Array> outputs;
    for (int i = begin; i < end; ++i) {
      const auto stepped = client.Step({.state = BranchName{"live"}, .inputs = {{"x", Input(width, i)}}});
      EXPECT_TRUE(stepped.ok()) << stepped.status();
      if (!stepped.ok()) break;
      outputs.push_back(stepped->outputs.at(0).second);
    }
    return outputs;
  }
  static void Make(Client& client, const std::string& model) {
    const auto made = client.MakeState({.model = model, .branch = "live"});
    ASSERT_TRUE(made.ok()) << made.status();
  }
  static size_t VersionCount(Client& client, const std::string& model) {
    const auto listed = client.ListSnapshots({.of = model, .page_size = 1000});
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? static_cast<size_t>(listed->snapshots_size()) : 0;
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / absl::StrCat("move_", getpid());
  const ServerProcess from_{kModels};
  const ServerProcess to_{kModels, {"--data-dir", (folder_ / "data").string()}};
  const std::unique_ptr<Client> from_client_ = Client::Connect({.address = from_.address()});
  const std::unique_ptr<Client> to_client_ = Client::Connect({.address = to_.address()});
};

struct Moved {
  const char* model;
  int64_t width;
  bool history;
};

class CliMoveOfTest : public CliMoveTest, public ::testing::WithParamInterface<Moved> {};

INSTANTIATE_TEST_SUITE_P(Of, CliMoveOfTest,
                         ::testing::Values(Moved{"gru", 32, false}, Moved{"gru", 32, true},
                                           Moved{"attention_decoder", 64, false},
                                           Moved{"attention_decoder", 64, true}),
                         [](const auto& test) {
                           return absl::StrCat(test.param.model,
                                               test.param.history ? "WithHistory" : "Alone");
                         });

TEST_P(CliMoveOfTest, StreamGoesOnAlikeToTheBit) {
  const Moved& moved = GetParam();
  Make(*from_client_, moved.model);
  Step(*from_client_, moved.width, 0, 30);
  std::vector<std::string> command = {"export", "live", File("live.safetensors")};
  if (moved.history) command.emplace_back("--history");
  EXPECT_THAT(Text(from_, command), HasSubstr(moved.history ? "with 30 before it" : "of arrays, to "));
  EXPECT_THAT(Text(to_, {"import", File("live.safetensors")}), HasSubstr("head of branch live"));
  const auto at_first = to_client_->ReadArrays({.state = BranchName{"live"}});
  ASSERT_TRUE(at_first.ok()) << at_first.status();
  EXPECT_EQ(at_first->arrays, from_client_->ReadArrays({.state = BranchName{"live"}})->arrays);
  const std::vector<Array> here = Step(*from_client_, moved.width, 30, 130);
  EXPECT_THAT(here, SizeIs(100));
  EXPECT_EQ(Step(*to_client_, moved.width, 30, 130), here);
  EXPECT_EQ(to_client_->ReadArrays({.state = BranchName{"live"}})->arrays,
            from_client_->ReadArrays({.state = BranchName{"live"}})->arrays);
  EXPECT_EQ(VersionCount(*to_client_, moved.model), moved.history ? 131u : 101u);
}

TEST_F(CliMoveTest, FileIsReadByAnyReaderOfSafetensors) {
  Make(*from_client_, "attention_decoder");
  Step(*from_client_, 64, 0, 3);
  const auto state = from_client_->ReadArrays({.state = BranchName{"live"}});
  Text(from_, {"export", "live", File("head")});
  const auto head = ReadSafetensors(File("head"));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_THAT(*head, SizeIs(2));
  for (const auto& [index, array] : state->arrays) EXPECT_EQ(head->at(index), array) << index;

  const auto told =
      nlohmann::json::parse(Text(from_, {"export", "live", File("all"), "--history", "--json"}));
  EXPECT_EQ(told.at("snapshot_count"), 4);
  const auto all = ReadSafetensors(File("all"));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(*all, SizeIs(8));
  EXPECT_EQ(all->at("0/k").shape().dims()[0], 0);
  for (const char* name : {"1/k", "2/v", "3/k"}) EXPECT_EQ(all->at(name).shape().dims()[0], 1) << name;
  int64_t bytes = 0;
  for (const auto& [name, array] : *all) bytes += array.byte_count();
  EXPECT_EQ(told.at("array_bytes"), bytes) << "each row once";
  EXPECT_FALSE(fs::exists(File("all.partial")));
}

TEST_F(CliMoveTest, VersionIsExportedAndImportedUnderANameThatIsGiven) {
  Make(*from_client_, "counter");
  Text(from_, {"export", "1", File("one")});
  const Finished unnamed = Run(to_, {"import", File("one")});
  EXPECT_EQ(unnamed.exit_code, 2);
  EXPECT_THAT(unnamed.err, HasSubstr("--branch"));
  const std::vector<std::string> command = {"import",       File("one"),  "--branch", "copy",
                                            "--request-id", "moved-once", "--json"};
  const auto made = nlohmann::json::parse(Text(to_, command));
  EXPECT_EQ(made.at("branch").at("name"), "copy");
  EXPECT_EQ(made.at("snapshot").at("labels").at("stepwell.imported_from"), "1");
  EXPECT_EQ(nlohmann::json::parse(Text(to_, command)).at("version"), made.at("version")) << "a repeat";
  EXPECT_EQ(VersionCount(*to_client_, "counter"), 1u);
  const Finished taken = Run(to_, {"import", File("one"), "--branch", "copy"});
  EXPECT_EQ(taken.exit_code, 1);
  EXPECT_THAT(taken.err, HasSubstr("BRANCH_EXISTS"));
}

TEST_F(CliMoveTest, FileThatIsNotAsItWasWrittenIsRefusedAndNothingIsMade) {
  Make(*from_client_, "gru");
  Step(*from_client_, 32, 0, 2);
  Text(from_, {"export", "live", File("whole"), "--history"});
  const std::string whole = Read(File("whole"));
  const auto expect = [&](const std::string& content, const std::string& what) {
    std::ofstream(File("bad"), std::ios::binary) << content;
    const Finished refused = Run(to_, {"import", File("bad")});
    EXPECT_EQ(refused.exit_code, 2) << what << refused.out;
    EXPECT_THAT(refused.err, HasSubstr(File("bad")));
    EXPECT_THAT(refused.err, HasSubstr(what));
  };
  expect(whole.substr(0, whole.size() - 1), "array \"2/");
  expect(whole + "x", "bytes of arrays; expected");
  expect(whole.substr(0, 100), "it is cut off, or no safetensors file");
  expect("", "is no safetensors file");
  expect("text that is no such file", "no safetensors file");
  // Of the same length, so that the header's still counts.
  const auto replaced = [&](const std::string& from, const std::string& to) {
    EXPECT_EQ(from.size(), to.size());
    EXPECT_THAT(whole, HasSubstr(from));
    return absl::StrReplaceAll(whole, {{from, to}});
  };
  expect(replaced("\"stepwell_format\":\"1\"", "\"stepwell_format\":\"2\""), "format 2; expected at most 1");
  expect(replaced("stepwell_format", "somebodys_thing"), "stepwell export");
  expect(replaced("\"1/", "\"7/"), "is of none of its 3 snapshots");
  expect(replaced("\"1/hidden\"", "\"0/hidde_\""), "snapshot 0 has 2 arrays; expected 1");
  expect(replaced("\"F32\"", "\"F33\""), "dtype F33");
  const Finished missing = Run(to_, {"import", File("nowhere")});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("nowhere"));
  EXPECT_EQ(VersionCount(*to_client_, "gru"), 0u);
}

TEST_F(CliMoveTest, FileThatCannotBeWrittenIsToldAndAnOlderOneStays) {
  Make(*from_client_, "counter");
  const Finished refused = Run(from_, {"export", "live", File("no/such/folder")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("cannot be written"));
  std::ofstream(File("older")) << "older";
  const Finished unknown = Run(from_, {"export", "nobody", File("older")});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_EQ(Read(File("older")), "older");
}

TEST_F(CliMoveTest, ImportThatIsBrokenOffLeavesNothing) {
  Make(*from_client_, "gru");
  Step(*from_client_, 32, 0, 20);
  v1::MovedHistory history;
  std::vector<v1::ExportSnapshotsResponse> messages;
  const absl::Status exported =
      from_client_->ExportSnapshots({.state = BranchName{"live"}, .history = true}, [&](const auto& message) {
        if (message.has_header()) history = message.header();
        messages.push_back(message);
        return absl::OkStatus();
      });
  ASSERT_TRUE(exported.ok()) << exported;
  const auto broken_off = to_client_->ImportSnapshots({.history = history, .branch = "live"},
                                                      [&](client::SnapshotSender& sender) -> absl::Status {
                                                        for (size_t i = 1; i < messages.size() / 2; ++i) {
                                                          if (messages[i].has_snapshot()) {
                                                            sender.Send(messages[i].snapshot());
                                                          } else {
                                                            sender.Send(messages[i].data());
                                                          }
                                                        }
                                                        // Some of it is there by now.
                                                        while (VersionCount(*to_client_, "gru") == 0)
                                                          continue;
                                                        return absl::DataLossError("the file ended");
                                                      });
  EXPECT_EQ(broken_off.status().message(), "the file ended");
  while (VersionCount(*to_client_, "gru") > 0) continue;
  EXPECT_FALSE(to_client_->GetBranch("live").ok());
}

// An import of the messages that `write` writes, after a header that announces one counter.
class ImportMessagesTest : public CliMoveTest {
 protected:
  using Request = v1::ImportSnapshotsRequest;

  static Request Header() {
    Request message;
    message.mutable_header()->set_branch("live");
    message.mutable_header()->mutable_history()->set_model("counter");
    message.mutable_header()->mutable_history()->set_snapshot_count(1);
    auto& revision = *message.mutable_header()->mutable_history()->add_revisions();
    revision.set_number(1);
    message.mutable_header()->mutable_revision()->set_newest(true);
    return message;
  }
  // Of a scalar, or of so many elements.
  static Request Snapshot(int64_t extent = -1) {
    Request message;
    message.mutable_snapshot()->set_revision(1);
    auto& array = *message.mutable_snapshot()->add_arrays();
    array.set_index("count");
    array.set_dtype(v1::INT32);
    if (extent >= 0) array.add_shape(extent);
    return message;
  }
  static Request Data(size_t bytes) {
    Request message;
    message.set_data(std::string(bytes, '\x01'));
    return message;
  }

  grpc::Status Import(const std::vector<Request>& messages) {
    grpc::ClientContext context;
    v1::ImportSnapshotsResponse reply;
    const auto stream = stub_->ImportSnapshots(&context, &reply);
    for (const Request& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }

  const std::unique_ptr<v1::StateService::Stub> stub_ =
      v1::StateService::NewStub(grpc::CreateChannel(to_.address(), grpc::InsecureChannelCredentials()));
};

TEST_F(ImportMessagesTest, MessagesOutOfOrderAreRefused) {
  const auto expect = [&](const std::vector<Request>& messages, const std::string& what) {
    const grpc::Status refused = Import(messages);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << what << refused.error_message();
    EXPECT_THAT(refused.error_message(), HasSubstr(what));
    EXPECT_EQ(VersionCount(*to_client_, "counter"), 0u) << what;
  };
  expect({}, "ended before its header");
  expect({Snapshot()}, "does not begin with a header");
  expect({Data(4)}, "4 bytes where the arrays of a snapshot lack 0");
  expect({Request()}, "neither header, snapshot nor data");
  expect({Header(), Header()}, "second header");
  expect({Header(), Snapshot()}, "ended 4 bytes before the end");
  expect({Header(), Snapshot(), Data(3)}, "ended 1 bytes before the end");
  expect({Header(), Snapshot(), Snapshot()}, "a snapshot follows 4 bytes before the end");
  expect({Header(), Snapshot(), Data(5)}, "5 bytes where the arrays of a snapshot lack 4");
  expect({Header(), Snapshot(), Data(4), Data(1)}, "1 bytes where the arrays of a snapshot lack 0");
  expect({Header()}, "ended after 0 snapshots; expected 1");
  expect({Header(), Snapshot(), Data(4), Snapshot(), Data(4)}, "one too many");
  const grpc::Status made = Import({Header(), Snapshot(), Data(1), Data(3)});
  EXPECT_TRUE(made.ok()) << made.error_message();
  EXPECT_EQ(VersionCount(*to_client_, "counter"), 1u);
}

TEST_F(ImportMessagesTest, SnapshotOfMoreThanTheServerTakesIsRefusedBeforeItComes) {
  const grpc::Status refused = Import({Header(), Snapshot(int64_t{2} << 30)});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << refused.error_message();
  EXPECT_THAT(refused.error_message(), HasSubstr("max_state_bytes"));
}

// The guide's line for Python, where there is a Python that has the package.
TEST_F(CliMoveTest, PythonReadsAFileAsTheGuideSays) {
  setenv("PYTHONPATH", "/opt/stepwell-python", 0);  // Where install-deps.sh --dev puts it.
  if (RunProgram({"/bin/bash", "-c", "python3 -c 'import safetensors.numpy'"}).exit_code != 0) {
    GTEST_SKIP() << "python3 has no safetensors: scripts/install-deps.sh --dev";
  }
  std::ifstream guide(STEPWELL_SOURCE_DIR "/docs/guides/moving.md");
  std::string line;
  while (std::getline(guide, line) && !absl::StartsWith(line, "python3 -c ")) continue;
  ASSERT_THAT(line, HasSubstr("live.safetensors")) << "the guide has such a line";
  Text(from_, {"make", "counter", "--branch", "live", "--set", "count=41"});
  Text(from_, {"export", "live", File("live.safetensors")});
  const Finished read = RunProgram({"/bin/bash", "-c", absl::StrCat("cd ", folder_.string(), "; ", line)});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_THAT(read.out, HasSubstr("'count': array(41, dtype=int32)"));
}

}  // namespace
}  // namespace stepwell::testing
