// UploadModel of the client, against a stub.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/test/mock_stream.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "stepwell/v1/branch_service_mock.grpc.pb.h"
#include "stepwell/v1/model_service_mock.grpc.pb.h"
#include "stepwell/v1/state_service_mock.grpc.pb.h"

namespace stepwell::client {
namespace {

namespace fs = std::filesystem;

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::Return;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "broken");

class UploadModelTest : public ::testing::Test {
 protected:
  UploadModelTest() : folder_(fs::path(::testing::TempDir()) / absl::StrCat("upload_client_", getpid())) {
    fs::create_directories(folder_);
    auto models = std::make_unique<v1::MockModelServiceStub>();
    models_ = models.get();
    ClientOptions options;
    options.retry.max_attempts = 2;
    options.sleep = [](absl::Duration) {};
    client_ = std::make_unique<Client>(Stubs{std::move(models), std::make_unique<v1::MockStateServiceStub>(),
                                             std::make_unique<v1::MockBranchServiceStub>()},
                                       std::move(options));
  }
  ~UploadModelTest() override { fs::remove_all(folder_); }

  fs::path Write(const std::string& file, const std::string& content) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file, std::ios::binary) << content;
    return folder_ / file;
  }

  // A call that takes the first `writes` messages, and ends with `status`.
  void ExpectUpload(int writes, const grpc::Status& status) {
    EXPECT_CALL(*models_, UploadModelRaw(_, _))
        .WillOnce([=, this](grpc::ClientContext*, v1::UploadModelResponse* reply) {
          messages_.clear();
          auto* const stream = new grpc::testing::MockClientWriter<v1::UploadModelRequest>();
          EXPECT_CALL(*stream, Write(_, _))
              .WillRepeatedly([=, this](const auto& message, grpc::WriteOptions) {
                messages_.push_back(message);
                return static_cast<int>(messages_.size()) <= writes;
              });
          EXPECT_CALL(*stream, WritesDone()).WillOnce(Return(true));
          EXPECT_CALL(*stream, Finish()).WillOnce([=] {
            if (status.ok()) reply->mutable_model()->set_revision(7);
            return status;
          });
          return stream;
        })
        .RetiresOnSaturation();
  }
  // Path and size of each file in the header that was sent.
  std::vector<std::pair<std::string, int64_t>> SentFiles() const {
    std::vector<std::pair<std::string, int64_t>> files;
    for (const auto& file : messages_.at(0).header().files())
      files.emplace_back(file.path(), file.byte_count());
    return files;
  }
  std::string SentBytes() const {
    std::string bytes;
    for (const v1::UploadModelRequest& message : messages_) bytes += message.data();
    return bytes;
  }

  const fs::path folder_;
  v1::MockModelServiceStub* models_;
  std::unique_ptr<Client> client_;
  std::vector<v1::UploadModelRequest> messages_;  // Of the last call.
};

TEST_F(UploadModelTest, FolderGoesAsItsFilesInOrderWithoutHiddenOnes) {
  const std::string large(5 << 19, 'w');  // 2.5 MiB.
  Write("gauge/model.textproto", "text");
  Write("gauge/a/empty", "");
  Write("gauge/a.bin", large);
  Write("gauge/.git/config", "x");
  Write("gauge/.swp", "x");
  fs::create_symlink("a.bin", folder_ / "gauge/link.bin");
  ExpectUpload(100, grpc::Status::OK);
  std::vector<std::pair<int64_t, int64_t>> progress;
  const auto uploaded = client_->UploadModel(
      {.package = folder_ / "gauge/", .replace = true, .digest = "sha256:1"},
      {.on_progress = [&](int64_t sent, int64_t total) { progress.emplace_back(sent, total); }});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(uploaded->revision(), 7);
  EXPECT_EQ(messages_[0].header().name(), "gauge");
  EXPECT_TRUE(messages_[0].header().replace());
  EXPECT_EQ(messages_[0].header().digest(), "sha256:1");
  const auto size = static_cast<int64_t>(large.size());
  EXPECT_THAT(SentFiles(), ElementsAre(Pair("a/empty", 0), Pair("a.bin", size), Pair("link.bin", size),
                                       Pair("model.textproto", 4)));
  EXPECT_EQ(SentBytes(), large + large + "text");
  for (const v1::UploadModelRequest& message : messages_) EXPECT_LE(message.data().size(), size_t{1} << 20);
  EXPECT_EQ(progress.front(), std::make_pair(int64_t{0}, 2 * size + 4));
  EXPECT_EQ(progress.back(), std::make_pair(2 * size + 4, 2 * size + 4));
  EXPECT_EQ(progress.size(), messages_.size());
}

TEST_F(UploadModelTest, LoneFileIsNamedAsTheModel) {
  Write("gauge.onnx", "graph");
  ExpectUpload(100, grpc::Status::OK);
  ASSERT_TRUE(client_->UploadModel({.package = folder_ / "gauge.onnx"}).ok());
  EXPECT_EQ(messages_[0].header().name(), "gauge");
  EXPECT_THAT(SentFiles(), ElementsAre(Pair("gauge.onnx", 5)));
  ExpectUpload(100, grpc::Status::OK);
  ASSERT_TRUE(client_->UploadModel({.package = folder_ / "gauge.onnx", .name = "other"}).ok());
  EXPECT_EQ(messages_[0].header().name(), "other");
  EXPECT_THAT(SentFiles(), ElementsAre(Pair("other.onnx", 5)));
  EXPECT_EQ(SentBytes(), "graph");
}

TEST_F(UploadModelTest, BrokenUploadIsRepeatedFromItsStart) {
  Write("gauge/model.textproto", std::string(5 << 19, 't'));
  ExpectUpload(100, grpc::Status::OK);  // The one that was expected last comes first.
  ExpectUpload(2, kBroken);
  std::vector<int64_t> progress;
  const auto uploaded =
      client_->UploadModel({.package = folder_ / "gauge"},
                           {.on_progress = [&](int64_t sent, int64_t) { progress.push_back(sent); }});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(messages_.size(), 4u);
  EXPECT_THAT(progress, ElementsAre(0, 1 << 20, 2 << 20, 5 << 19))
      << "what had gone already is not told again";
}

TEST_F(UploadModelTest, RefusalIsToldAsItIs) {
  Write("gauge/model.textproto", "text");
  ExpectUpload(0, grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "there is one"));
  EXPECT_EQ(client_->UploadModel({.package = folder_ / "gauge"}).status(),
            absl::AlreadyExistsError("there is one"));
  EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(UploadModelTest, WhatIsNoPackageIsNotSent) {
  EXPECT_CALL(*models_, UploadModelRaw(_, _)).Times(0);
  Write("text.txt", "text");
  for (const char* path : {"gone", "gone.onnx", "text.txt"}) {
    const absl::Status status = client_->UploadModel({.package = folder_ / path}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::string(path) + "\" is neither a folder nor a .onnx"));
  }
  Write("gauge/model.textproto", "text");
  fs::create_symlink("/etc/passwd", folder_ / "gauge/weights.bin");
  const absl::Status status = client_->UploadModel({.package = folder_ / "gauge"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("weights.bin\" cannot be read: the symbolic link leads out"));
}

TEST_F(UploadModelTest, FileThatShrinksMeanwhileEndsTheCall) {
  const fs::path file = Write("gauge/model.textproto", "text");
  EXPECT_CALL(*models_, UploadModelRaw(_, _)).WillOnce([&](grpc::ClientContext*, v1::UploadModelResponse*) {
    fs::resize_file(file, 3);
    auto* const stream = new grpc::testing::MockClientWriter<v1::UploadModelRequest>();
    EXPECT_CALL(*stream, Write(_, _)).WillOnce(Return(true));
    EXPECT_CALL(*stream, WritesDone()).WillOnce(Return(true));
    EXPECT_CALL(*stream, Finish()).WillOnce(Return(grpc::Status::CANCELLED));
    return stream;
  });
  const absl::Status status = client_->UploadModel({.package = folder_ / "gauge"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it ended, or failed, 4 bytes before its end"));
}

}  // namespace
}  // namespace stepwell::client
