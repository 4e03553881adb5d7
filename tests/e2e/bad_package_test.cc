// Packages that are wrong, through the wire: everything that is wrong with one is told, and the server goes
// on.
#include <map>

#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Version;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr char kCounter[] = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";

class BadPackageTest : public ServerTest {
 protected:
  // A package of the counter's graph with another text.
  static void Write(const std::string& name, const std::string& text,
                    const std::string& graph = "equinox/counter/step.onnx") {
    fs::create_directories(repository_ / name);
    fs::copy_file(Data() / graph, repository_ / name / "step.onnx", fs::copy_options::overwrite_existing);
    std::ofstream(repository_ / name / "model.textproto") << text;
  }

  // Loads `name`, which is wrong; a part of the message for each of `faults`.
  static void ExpectFaults(const std::string& name, const std::vector<std::string>& faults) {
    SCOPED_TRACE(name);
    const absl::Status status = client_->LoadModel(name).status();
    ExpectError(status, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID",
                absl::StrCat("the package of model \"", name, "\" has ", faults.size(), " fault"));
    for (const std::string& fault : faults) EXPECT_THAT(std::string(status.message()), HasSubstr(fault));
    ExpectError(client_->MakeState({.model = name}).status(), absl::StatusCode::kFailedPrecondition,
                "MODEL_NOT_READY", name);
    const auto model = client_->GetModel(name);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->state(), v1::ModelInfo::FAILED);
    EXPECT_EQ(model->error(), status.message());
  }
};

TEST_F(BadPackageTest, TextThatIsWrongIsToldWithItsLine) {
  Write("field", "state { index: \"count\" dtype: INT32\n  colour: \"red\" }\nmethod { name: \"step\" }");
  ExpectFaults("field", {"model.textproto:2:"});
  Write("twice", std::string(kCounter) + "state { index: \"count\" dtype: INT32 }");
  ExpectFaults("twice", {"model.textproto:3: state \"count\": the index is declared already"});
  Write("nowhere",
        "state { index: \"count\" dtype: INT32 }\n"
        "method { name: \"step\" reads { index: \"count\" } "
        "writes { index: \"nowhere\" output: \"count.next\" } }");
  ExpectFaults("nowhere",
               {"model.textproto:2: method \"step\": writes \"nowhere\", which is not in the state spec"});
  Write("writes",
        "state { index: \"count\" dtype: INT32 }\n"
        "method { name: \"step\" reads { index: \"count\" } writes { index: \"count\" } "
        "writes { index: \"count\" output: \"y\" } }");
  ExpectFaults("writes", {"index \"count\" is written twice, the second time from output \"y\""});
  Write("misfit", "state { index: \"count\" dtype: INT32 shape: [2] }\nmethod { name: \"step\" }");
  ExpectFaults("misfit", {"reads \"count\", int32 (2) in the state spec", "which gives int32 ()"});
  Write("bytes", std::string(kCounter) + "description: \"\xFF\"");
  ExpectFaults("bytes", {"is not UTF-8"});
  Write("empty", "");
  ExpectFaults("empty", {"the model has no method"});
}

TEST_F(BadPackageTest, EveryFaultOfAPackageIsTold) {
  Write("many",
        "state { index: \"count\" dtype: INT32 }\nstate { index: \"count\" dtype: INT32 }\n"
        "state { index: \"big\" dtype: FLOAT32 shape: [4] }\n"
        "method { name: \"step\" reads { index: \"count\" }\n"
        "  writes { index: \"nowhere\" output: \"count.next\" }\n"
        "  writes { index: \"count\" output: \"y\" } writes { index: \"count\" }\n"
        "  writes { index: \"big\" output: \"y\" } }");
  ExpectFaults("many", {"declared already", "writes \"nowhere\", which is not in the state spec",
                        "written twice", "writes \"big\", float32 (4)"});
}

TEST_F(BadPackageTest, GraphThatIsTruncatedOrCorruptIsRefused) {
  Write("truncated", kCounter);
  fs::resize_file(repository_ / "truncated/step.onnx", 100);
  ExpectFaults("truncated", {"step.onnx: the 100 bytes are no ONNX model"});
  Write("corrupt", kCounter);
  std::ofstream(repository_ / "corrupt/step.onnx", std::ios::binary)
      << "\x08\x0A no model, but as long as one";
  ExpectFaults("corrupt", {"step.onnx: "});
  Write("hollow", kCounter);
  fs::resize_file(repository_ / "hollow/step.onnx", 0);
  ExpectFaults("hollow", {"step.onnx: the 0 bytes are no ONNX model"});
  Write("absent", "method { name: \"infer\" }");
  ExpectFaults("absent", {"infer.onnx: file \"infer.onnx\" is not in the package"});
}

TEST_F(BadPackageTest, NamesThatReachOutOfTheRepositoryAreInvalid) {
  for (const char* name : {"../escape", "..", "/etc", "", "a/b", ".stepwelld.textproto"}) {
    ExpectError(client_->LoadModel(name).status(), absl::StatusCode::kInvalidArgument, "", "model name \"");
  }
  Write("leaves", kCounter);
  fs::create_symlink("/etc/passwd", repository_ / "leaves/weights.bin");
  ExpectError(client_->LoadModel("leaves").status(), absl::StatusCode::kFailedPrecondition, "",
              "weights.bin: the symbolic link leads out of the package");
}

TEST_F(BadPackageTest, ReloadThatFailsKeepsTheRevisionThatWasThere) {
  Write("reload", kCounter);
  ASSERT_TRUE(client_->LoadModel("reload").ok());
  Make("reload", "reload");
  Write("reload", "colour: 1");
  ExpectError(client_->LoadModel("reload").status(), absl::StatusCode::kFailedPrecondition, "MODEL_INVALID");
  const auto stepped = client_->Step({.state = BranchName{"reload"}, .inputs = {{"x", Int(2)}}});
  EXPECT_TRUE(stepped.ok()) << stepped.status();
  const auto model = client_->GetModel("reload");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->state(), v1::ModelInfo::FAILED);
  EXPECT_EQ(model->revision(), 1);
  Write("reload", kCounter);
  EXPECT_EQ(client_->LoadModel("reload")->revision(), 1);
}

TEST_F(BadPackageTest, OutputThatDoesNotFitItsIndexMintsNothingAndMovesNothing) {
  // The graph appends the rows of x to the log, whose size is fixed here.
  Write("fixed",
        "state { index: \"log\" dtype: FLOAT32 shape: [1, 2] }\n"
        "state { index: \"key\" dtype: UINT32 shape: [2] }\nmethod { name: \"step\" }",
        "models/mixed/step.onnx");
  const auto loaded = client_->LoadModel("fixed");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Version root = Make("fixed", "fixed");
  const auto step = [](int64_t rows) {
    return client_->Step(
        {.state = BranchName{"fixed"},
         .inputs = {{"x", Floats({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2))}}});
  };
  ExpectError(step(3).status(), absl::StatusCode::kFailedPrecondition, "STATE_SPEC_MISMATCH",
              "the array for index \"log\" is float32 (4, 2); expected float32 (1, 2)");
  EXPECT_EQ(client_->GetBranch("fixed")->head(), root.value);
  const auto after = step(0);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(client_->GetSnapshot(after->version)->parent(), root.value);
}

// A server that starts over a repository with bad packages in it.
TEST(BadRepositoryTest, BadPackagesAreListedBesideGoodOnes) {
  const fs::path repository = fs::path(::testing::TempDir()) / absl::StrCat("bad_models_", getpid());
  fs::create_directories(repository);
  for (const char* name : {"counter", "truncated", "a b", "\xFF"}) {
    fs::copy(STEPWELL_SOURCE_DIR "/tests/data/equinox/counter", repository / name);
  }
  fs::resize_file(repository / "truncated/step.onnx", 100);
  {
    const ServerProcess server(repository);
    const auto client = client::Client::Connect({.address = server.address()});
    const auto models = client->ListModels();
    ASSERT_TRUE(models.ok()) << models.status();
    std::map<std::string, v1::ModelInfo> by_name;
    for (const v1::ModelInfo& model : *models) by_name[model.name()] = model;
    ASSERT_EQ(by_name.size(), 4u);
    EXPECT_EQ(by_name["counter"].state(), v1::ModelInfo::READY);
    EXPECT_EQ(by_name["truncated"].state(), v1::ModelInfo::FAILED);
    EXPECT_THAT(by_name["truncated"].error(), HasSubstr("step.onnx: the 100 bytes"));
    for (const char* name : {"a b", "\\xff"}) {
      EXPECT_EQ(by_name[name].state(), v1::ModelInfo::FAILED) << name;
      EXPECT_THAT(by_name[name].error(), HasSubstr("expected 1 to 128 letters"));
    }
    EXPECT_TRUE(client->MakeState({.model = "counter"}).ok());
  }
  fs::remove_all(repository);
}

}  // namespace
}  // namespace stepwell::testing
