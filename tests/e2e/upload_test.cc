// UploadModel through the wire, with the client and with the generated stub.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stepwell/v1/model_service.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using client::Client;
using client::Version;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Requests = std::vector<v1::UploadModelRequest>;

constexpr char kExamples[] = STEPWELL_SOURCE_DIR "/examples/models";

v1::UploadModelRequest Chunk(std::string bytes) {
  v1::UploadModelRequest request;
  request.set_data(std::move(bytes));
  return request;
}

v1::UploadModelRequest Header(const std::string& name,
                              const std::vector<std::pair<std::string, int64_t>>& files) {
  v1::UploadModelRequest request;
  request.mutable_header()->set_name(name);
  for (const auto& [path, byte_count] : files) {
    auto& file = *request.mutable_header()->add_files();
    file.set_path(path);
    file.set_byte_count(byte_count);
  }
  return request;
}

std::string Content(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// A server that takes uploads of up to 2 MB into a repository that is empty at first, and its folder.
class UploadTest : public ::testing::Test {
 protected:
  explicit UploadTest(std::vector<std::string> flags = {"--allow-upload", "--max-upload-bytes", "2000000",
                                                        "--grace-period-seconds", "100"})
      : folder_(fs::path(::testing::TempDir()) / absl::StrCat("upload_", getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "models");
    Start(std::move(flags));
  }
  ~UploadTest() override {
    client_.reset();  // The server waits for its clients to go.
    stub_.reset();
    server_.reset();
    fs::remove_all(folder_);
  }

  void Start(std::vector<std::string> flags) {
    client_.reset();
    stub_.reset();
    server_.reset();  // Two cannot have one data directory.
    server_ = std::make_unique<ServerProcess>(folder_ / "models", flags);
    client_ = Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
    stub_ = v1::ModelService::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  grpc::Status Upload(const Requests& requests) {
    grpc::ClientContext context;
    v1::UploadModelResponse reply;
    const auto stream = stub_->UploadModel(&context, &reply);
    for (const v1::UploadModelRequest& request : requests) {
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }
  // Everything in the repository, hidden or not.
  std::vector<std::string> Entries() const {
    std::vector<std::string> entries;
    for (const auto& entry : fs::directory_iterator(folder_ / "models")) {
      entries.push_back(entry.path().filename());
    }
    std::ranges::sort(entries);
    return entries;
  }
  // Of the counter, in a folder of its own.
  fs::path Counter(const std::string& description) const {
    const fs::path folder = folder_ / "packages" / description;
    fs::create_directories(folder);
    fs::copy_file(fs::path(kExamples) / "counter/step.onnx", folder / "step.onnx",
                  fs::copy_options::overwrite_existing);
    std::ofstream(folder / "model.textproto")
        << "description: \"" << description
        << "\" state { index: \"count\" dtype: INT32 } method { name: \"step\" }";
    return folder;
  }

  const fs::path folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<v1::ModelService::Stub> stub_;
};

TEST_F(UploadTest, UploadedModelStepsAsTheOriginal) {
  for (const char* name : {"attention_decoder", "counter", "batchnorm"}) {  // The first has external data.
    const auto uploaded = client_->UploadModel({.package = fs::path(kExamples) / name});
    ASSERT_TRUE(uploaded.ok()) << uploaded.status();
    EXPECT_EQ(uploaded->name(), name);
    EXPECT_EQ(uploaded->revision(), 1);
    EXPECT_EQ(uploaded->state(), v1::ModelInfo::READY);
    for (const auto& file : fs::recursive_directory_iterator(fs::path(kExamples) / name)) {
      const fs::path copy = folder_ / "models" / file.path().lexically_relative(kExamples);
      EXPECT_EQ(Content(copy), Content(file.path())) << copy;
    }
  }
  EXPECT_THAT(Entries(), ElementsAre("attention_decoder", "batchnorm", "counter"));

  const auto trace = [](Client& client) {
    const auto made = client.MakeState({.model = "attention_decoder"});
    EXPECT_TRUE(made.ok()) << made.status();
    Version version{made->snapshot().version()};
    client::NamedArrays last;
    for (int i = 0; i < 3; ++i) {
      const auto stepped = client.Step(
          {.state = version,
           .inputs = {{"x", Floats({64}, std::vector<float>(64, 0.25F * static_cast<float>(i)))}}});
      EXPECT_TRUE(stepped.ok()) << stepped.status();
      if (!stepped.ok()) return last;
      version = stepped->version;
      last = stepped->outputs;
    }
    return last;
  };
  const ServerProcess original(kExamples);
  const auto other = Client::Connect({.address = original.address()});
  const client::NamedArrays here = trace(*client_);
  EXPECT_FALSE(here.empty());
  EXPECT_EQ(here, trace(*other));
  EXPECT_EQ(client_->GetModel("attention_decoder")->digest(), other->GetModel("attention_decoder")->digest());
}

TEST_F(UploadTest, OtherContentIsTheNextRevisionWhenItIsToReplace) {
  ASSERT_TRUE(client_->UploadModel({.package = Counter("one"), .name = "m"}).ok());
  const auto made = client_->MakeState({.model = "m"});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto again = client_->UploadModel({.package = Counter("one"), .name = "m"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision(), 1);
  ExpectError(client_->UploadModel({.package = Counter("two"), .name = "m"}).status(),
              absl::StatusCode::kAlreadyExists, "MODEL_EXISTS", "expected replace, or a new name");
  const auto replaced = client_->UploadModel({.package = Counter("two"), .name = "m", .replace = true});
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ(replaced->revision(), 2);
  EXPECT_THAT(replaced->loaded_revisions(), ElementsAre(1, 2));
  EXPECT_TRUE(client_->Step({.state = Version{made->snapshot().version()}, .inputs = {{"x", Int(1)}}}).ok());
  EXPECT_EQ(client_->LoadModel("m")->revision(), 2) << "what was loaded is what is there";
  EXPECT_THAT(Entries(), ElementsAre("m"));
  Start({"--grace-period-seconds", "100"});
  EXPECT_EQ(client_->GetModel("m")->description(), "two");
}

TEST_F(UploadTest, ReplacedPackageStepsItsStatesAfterARestart) {
  const std::vector<std::string> flags = {"--allow-upload", "--data-dir", (folder_ / "data").string()};
  Start(flags);
  ASSERT_TRUE(client_->UploadModel({.package = Counter("one"), .name = "m"}).ok());
  const auto made = client_->MakeState({.model = "m"});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(client_->UploadModel({.package = Counter("two"), .name = "m", .replace = true}).ok());
  Start(flags);
  EXPECT_EQ(client_->GetModel("m")->revision(), 2);
  const auto stepped =
      client_->Step({.state = Version{made->snapshot().version()}, .inputs = {{"x", Int(1)}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(client_->GetSnapshot(stepped->version)->revision(), 1);
}

TEST_F(UploadTest, WrongPackageTellsAllFaultsAndLeavesNothing) {
  const fs::path wrong = Counter("wrong");
  std::ofstream(wrong / "model.textproto")
      << "state { index: \"count\" dtype: FLOAT32 }\nmethod { name: \"step\" }\nmethod { name: \"gone\" }\n";
  const absl::Status refused = client_->UploadModel({.package = wrong, .name = "m"}).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "has 3 faults");
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "gone.onnx");
  EXPECT_THAT(Entries(), IsEmpty());
  EXPECT_THAT(client_->ListModels().value(), IsEmpty());
}

TEST_F(UploadTest, WhatIsNoPackageIsSaidAndLeavesNothing) {
  const v1::UploadModelRequest good = Header("m", {{"a", 3}, {"b", 4}});
  v1::UploadModelRequest other_digest = good;
  other_digest.mutable_header()->set_digest("sha256:1");
  const struct {
    Requests requests;
    grpc::StatusCode code;
    const char* message;
    const char* reason;
  } cases[] = {
      {{}, grpc::StatusCode::INVALID_ARGUMENT, "the stream ended before its header", ""},
      {{Chunk("x")}, grpc::StatusCode::INVALID_ARGUMENT, "the first message of the stream is not header", ""},
      {{{}}, grpc::StatusCode::INVALID_ARGUMENT, "neither header nor data", ""},
      {{good, good}, grpc::StatusCode::INVALID_ARGUMENT, "second header", ""},
      {{good}, grpc::StatusCode::INVALID_ARGUMENT, "ended after 0 bytes; expected 7", ""},
      {{good, Chunk("123456")}, grpc::StatusCode::INVALID_ARGUMENT, "ended after 6 bytes; expected 7", ""},
      {{good, Chunk("12345678")}, grpc::StatusCode::INVALID_ARGUMENT, "more bytes than the 7", ""},
      {{other_digest, Chunk("1234567")}, grpc::StatusCode::INVALID_ARGUMENT, "expected \"sha256:1\"", ""},
      {{good, Chunk("1234567")}, grpc::StatusCode::FAILED_PRECONDITION, "model.textproto", "MODEL_INVALID"},
      {{Header("m", {})}, grpc::StatusCode::INVALID_ARGUMENT, "the package has 0 files", ""},
      {{Header("", {{"a", 1}})}, grpc::StatusCode::INVALID_ARGUMENT, "model name \"\"", ""},
      {{Header("../m", {{"a", 1}})}, grpc::StatusCode::INVALID_ARGUMENT, "model name \"../m\"", ""},
      {{Header(".m", {{"a", 1}})}, grpc::StatusCode::INVALID_ARGUMENT, "model name \".m\"", ""},
      {{Header("m", {{"../a", 1}})},
       grpc::StatusCode::INVALID_ARGUMENT,
       "file \"../a\": expected a path inside",
       ""},
      {{Header("m", {{"/tmp/a", 1}})}, grpc::StatusCode::INVALID_ARGUMENT, "file \"/tmp/a\"", ""},
      {{Header("m", {{"a", 1}, {"a", 1}})},
       grpc::StatusCode::INVALID_ARGUMENT,
       "expected each file once",
       ""},
      {{Header("m", {{"a", 1'999'999}, {"b", 2}})},
       grpc::StatusCode::RESOURCE_EXHAUSTED,
       "more than 2000000 bytes, which is what max_upload_bytes allows",
       "UPLOAD_TOO_LARGE"},
  };
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.message);
    const grpc::Status status = Upload(wrong.requests);
    EXPECT_EQ(status.error_code(), wrong.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(wrong.message));
    EXPECT_THAT(status.error_details(), HasSubstr(wrong.reason));
    EXPECT_THAT(Entries(), IsEmpty());
  }
}

TEST_F(UploadTest, ClientThatVanishesLeavesNothing) {
  {
    grpc::ClientContext context;
    v1::UploadModelResponse reply;
    const auto stream = stub_->UploadModel(&context, &reply);
    ASSERT_TRUE(stream->Write(Header("m", {{"a", 3}, {"b", 4}})));
    ASSERT_TRUE(stream->Write(Chunk("123")));
    while (Entries().empty()) {
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  while (!Entries().empty()) {
  }
}

TEST_F(UploadTest, ServerThatDiesInTheMiddleCleansUpAtItsStart) {
  grpc::ClientContext context;
  v1::UploadModelResponse reply;
  const auto stream = stub_->UploadModel(&context, &reply);
  ASSERT_TRUE(stream->Write(Header("m", {{"a", 3}, {"b", 4}})));
  while (Entries().empty()) {
  }
  server_->Kill();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Entries().size(), 1u);
  Start({});
  EXPECT_EQ(Entries().size(), 1u) << "a server that takes no uploads changes nothing in its repository";
  EXPECT_THAT(client_->ListModels().value(), IsEmpty());
  Start({"--allow-upload"});
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(UploadTest, FifthUploadAtATimeIsRefused) {
  struct Open {
    grpc::ClientContext context;
    v1::UploadModelResponse reply;
    std::unique_ptr<grpc::ClientWriter<v1::UploadModelRequest>> stream;
  };
  std::vector<std::unique_ptr<Open>> open;
  while (open.size() < 4) {
    open.push_back(std::make_unique<Open>());
    open.back()->stream = stub_->UploadModel(&open.back()->context, &open.back()->reply);
    ASSERT_TRUE(open.back()->stream->Write(Header("m", {{"a", 1}})));
    while (Entries().size() < open.size()) {
    }
  }
  const grpc::Status refused = Upload({Header("m", {{"a", 1}})});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_details(), HasSubstr("QUEUE_FULL"));
  open.back()->stream->WritesDone();
  EXPECT_EQ(open.back()->stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(client_->UploadModel({.package = Counter("one")}).ok()) << "whose place is free again";
  for (const auto& one : open) one->context.TryCancel();
}

TEST_F(UploadTest, ServerThatStopsRefusesUploads) {
  grpc::ClientContext context;
  v1::UploadModelResponse reply;
  const auto stream = stub_->UploadModel(&context, &reply);
  ASSERT_TRUE(stream->Write(Header("m", {{"a", 3}})));
  while (Entries().empty()) {
  }
  kill(server_->pid(), SIGTERM);
  absl::Status refused;
  while (refused.ok()) refused = client_->UploadModel({.package = Counter("one")}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  // The one that was under way may go on.
  ASSERT_TRUE(stream->Write(Chunk("123")));
  stream->WritesDone();
  EXPECT_THAT(stream->Finish().error_details(), HasSubstr("MODEL_INVALID"));
}

class UploadsOffTest : public UploadTest {
 protected:
  UploadsOffTest() : UploadTest({}) {}
};

TEST_F(UploadsOffTest, UploadIsRefusedUnlessTheServerIsToldToTakeIt) {
  ExpectError(client_->UploadModel({.package = Counter("one")}).status(),
              absl::StatusCode::kFailedPrecondition, "UPLOADS_OFF",
              "expected one with allow_upload (--allow-upload)");
  EXPECT_THAT(Entries(), IsEmpty());
}

}  // namespace
}  // namespace stepwell::testing
