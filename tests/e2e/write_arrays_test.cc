// WriteArrays through the wire, with the generated stub.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stepwell/v1/state_service.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Version;
using ::testing::HasSubstr;

using Requests = std::vector<v1::WriteArraysRequest>;

v1::WriteArraysRequest Chunk(std::string bytes) {
  v1::WriteArraysRequest request;
  request.set_data(std::move(bytes));
  return request;
}

// A header for one array.
v1::WriteArraysRequest Header(const std::string& branch, const std::string& index, v1::DType dtype,
                              const std::vector<int64_t>& shape) {
  v1::WriteArraysRequest request;
  request.mutable_header()->mutable_state()->set_branch(branch);
  auto& array = *request.mutable_header()->add_arrays();
  array.mutable_index()->set_path(index);
  array.set_dtype(dtype);
  array.mutable_shape()->Add(shape.begin(), shape.end());
  return request;
}

std::string Bytes(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

class WriteArraysTest : public ServerTest {
 protected:
  WriteArraysTest() : stub_(v1::StateService::NewStub(Channel())) {}

  grpc::Status Write(const Requests& requests, v1::WriteArraysResponse* reply = nullptr) {
    grpc::ClientContext context;
    v1::WriteArraysResponse unused;
    const auto stream = stub_->WriteArrays(&context, reply == nullptr ? &unused : reply);
    for (const v1::WriteArraysRequest& request : requests) {
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }
  // A state with a log of rows, under a branch.
  static void MakeLog(const std::string& branch) {
    const auto made = client_->MakeState(
        {.model = "mixed", .arrays = {{"log", Floats({1, 2}, {1, 2})}}, .rng_seed = 1, .branch = branch});
    ASSERT_TRUE(made.ok()) << made.status();
  }
  static int64_t Head(const std::string& branch) { return client_->GetBranch(branch)->head(); }

  std::unique_ptr<v1::StateService::Stub> stub_;
};

TEST_F(WriteArraysTest, ArraysLargerThanAMessageComeInChunksOfAnySize) {
  MakeLog("write/large");
  constexpr int64_t kRows = 100'000;  // 800 KB, and a message holds 64 KiB.
  std::vector<float> values(2 * kRows);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const std::string bytes = Bytes(values);
  Requests requests = {Header("write/large", "log", v1::FLOAT32, {kRows, 2})};
  auto& key = *requests[0].mutable_header()->add_arrays();
  key.mutable_index()->set_position(1);
  key.set_dtype(v1::UINT32);
  key.add_shape(2);
  (*requests[0].mutable_header()->mutable_labels())["why"] = "test";
  requests[0].mutable_header()->set_expected_head(Head("write/large"));
  const std::string all = bytes + std::string("\1\0\0\0\2\0\0\0", 8);
  size_t size = 1;
  for (size_t at = 0; at < all.size(); at += size) {  // Of which one crosses from array to array.
    size = at == 0 ? 1 : 60'001;
    requests.push_back(Chunk(all.substr(at, size)));
  }
  requests.insert(requests.begin() + 2, Chunk(""));

  v1::WriteArraysResponse reply;
  const grpc::Status status = Write(requests, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.snapshot().version(), Head("write/large"));
  EXPECT_EQ(reply.snapshot().labels().at("why"), "test");
  const auto read = client_->ReadArrays({.state = BranchName{"write/large"}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->arrays[0].second.shape().ToString(), "(100000, 2)");
  EXPECT_EQ(read->arrays[0].second.As<float>().value(), absl::MakeConstSpan(values));
  EXPECT_THAT(read->arrays[1].second.As<uint32_t>().value(), ::testing::ElementsAre(1u, 2u));
}

TEST_F(WriteArraysTest, ArraysWithoutBytesNeedNone) {
  MakeLog("write/empty");
  ASSERT_TRUE(Write({Header("write/empty", "log", v1::FLOAT32, {0, 2})}).ok());
  const auto read = client_->GetArrays({.state = BranchName{"write/empty"}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->arrays[0].second.shape().ToString(), "(0, 2)");
}

TEST_F(WriteArraysTest, WhatIsWrongIsSaidAndChangesNothing) {
  MakeLog("write/wrong");
  const int64_t head = Head("write/wrong");
  const v1::WriteArraysRequest row = Header("write/wrong", "log", v1::FLOAT32, {1, 2});
  v1::WriteArraysRequest no_state = row;
  no_state.mutable_header()->clear_state();
  v1::WriteArraysRequest other_head = row;
  other_head.mutable_header()->set_expected_head(head + 1000);
  v1::WriteArraysRequest subtree = row;
  subtree.mutable_header()->mutable_arrays(0)->mutable_index()->set_subtree("log");
  v1::WriteArraysRequest twice = row;
  *twice.mutable_header()->add_arrays() = row.header().arrays(0);
  const struct {
    Requests requests;
    grpc::StatusCode code;
    const char* message;
    const char* reason;
  } cases[] = {
      {{}, grpc::StatusCode::INVALID_ARGUMENT, "the stream ended before its header", ""},
      {{Chunk("x")}, grpc::StatusCode::INVALID_ARGUMENT, "the first message of the stream is not header", ""},
      {{{}}, grpc::StatusCode::INVALID_ARGUMENT, "neither header nor data", ""},
      {{row, row}, grpc::StatusCode::INVALID_ARGUMENT, "second header", ""},
      {{row, Chunk("1234567")}, grpc::StatusCode::INVALID_ARGUMENT, "ended after 7 bytes; expected 8", ""},
      {{row}, grpc::StatusCode::INVALID_ARGUMENT, "ended after 0 bytes; expected 8", ""},
      {{row, Chunk("12345678"), Chunk("9")}, grpc::StatusCode::INVALID_ARGUMENT, "more bytes than the 8", ""},
      {{no_state}, grpc::StatusCode::INVALID_ARGUMENT, "state is not set", ""},
      {{Header("write/wrong", "log", v1::DTYPE_UNSPECIFIED, {1})},
       grpc::StatusCode::INVALID_ARGUMENT,
       "index \"log\": dtype is 0",
       ""},
      {{Header("write/wrong", "log", v1::FLOAT32, {-1, 2})},
       grpc::StatusCode::INVALID_ARGUMENT,
       "index \"log\": ",
       ""},
      {{Header("write/wrong", "log", v1::FLOAT32, {int64_t{1} << 50, 2})},
       grpc::StatusCode::RESOURCE_EXHAUSTED,
       "which is what max_state_bytes allows",
       "MEMORY_LIMIT"},
      {{Header("write/wrong", "log", v1::INT32, {1, 2}), Chunk("12345678")},
       grpc::StatusCode::INVALID_ARGUMENT,
       "float32",
       ""},
      {{Header("write/wrong", "nope", v1::FLOAT32, {1, 2}), Chunk("12345678")},
       grpc::StatusCode::NOT_FOUND,
       "nope",
       "INDEX_NOT_FOUND"},
      {{Header("write/nowhere", "log", v1::FLOAT32, {1, 2}), Chunk("12345678")},
       grpc::StatusCode::NOT_FOUND,
       "write/nowhere",
       "BRANCH_NOT_FOUND"},
      {{other_head, Chunk("12345678")}, grpc::StatusCode::ABORTED, "write/wrong", "HEAD_MOVED"},
      {{subtree, Chunk("12345678")}, grpc::StatusCode::INVALID_ARGUMENT, "", ""},
      {{twice, Chunk("1234567812345678")}, grpc::StatusCode::INVALID_ARGUMENT, "log", ""},
      {{row, Chunk(std::string(70'000, 'x'))}, grpc::StatusCode::RESOURCE_EXHAUSTED, "", ""},
  };
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.message);
    const grpc::Status status = Write(wrong.requests);
    EXPECT_EQ(status.error_code(), wrong.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(wrong.message));
    EXPECT_THAT(status.error_details(), HasSubstr(wrong.reason));
  }
  EXPECT_EQ(Head("write/wrong"), head);
}

TEST_F(WriteArraysTest, ClientThatVanishesChangesNothing) {
  MakeLog("write/vanish");
  const int64_t head = Head("write/vanish");
  {
    grpc::ClientContext context;
    v1::WriteArraysResponse reply;
    const auto stream = stub_->WriteArrays(&context, &reply);
    ASSERT_TRUE(stream->Write(Header("write/vanish", "log", v1::FLOAT32, {2, 2})));
    ASSERT_TRUE(stream->Write(Chunk("12345678")));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  ASSERT_TRUE(Write({Header("write/vanish", "log", v1::FLOAT32, {1, 2}), Chunk("12345678")}).ok());
  EXPECT_EQ(client_->GetSnapshot(BranchName{"write/vanish"})->parent(), head);
}

}  // namespace
}  // namespace stepwell::testing
