#include "stepwell/client/async_client.h"

#include <atomic>
#include <functional>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client/src/read_arrays_messages.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::client {
namespace {

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "no server");

// A call that the server has taken and not answered. Ends with CANCELLED when the client cancels it.
class HeldCall final : public grpc::ServerUnaryReactor {
 public:
  explicit HeldCall(absl::Notification* cancelled) : cancelled_(cancelled) {}
  void OnCancel() override {
    cancelled_->Notify();
    Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  absl::Notification* const cancelled_;
};

// Answers as a test says. A handler that is not set must not be called.
class FakeStates final : public v1::StateService::CallbackService {
 public:
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* Step(Context* context, const v1::StepRequest* request, v1::StepResponse* reply) override {
    if (hold_steps) {
      step_came.Notify();
      return new HeldCall(&step_cancelled);
    }
    return Answer(context, on_step(*context, *request, *reply));
  }
  Reactor* GetArrays(Context* context, const v1::GetArraysRequest* request,
                     v1::GetArraysResponse* reply) override {
    return Answer(context, on_get_arrays(*request, *reply));
  }
  Reactor* GetSnapshot(Context* context, const v1::GetSnapshotRequest* request,
                       v1::GetSnapshotResponse* reply) override {
    reply->mutable_snapshot()->set_version(request->state().version());
    return Answer(context, grpc::Status::OK);
  }
  grpc::ServerWriteReactor<v1::ReadArraysResponse>* ReadArrays(
      Context*, const v1::ReadArraysRequest* request) override {
    return new Writer(on_read_arrays(*request));
  }

  struct Stream {
    std::vector<v1::ReadArraysResponse> messages;
    grpc::Status status;
  };
  std::function<grpc::Status(const Context&, const v1::StepRequest&, v1::StepResponse&)> on_step;
  std::function<grpc::Status(const v1::GetArraysRequest&, v1::GetArraysResponse&)> on_get_arrays;
  std::function<Stream(const v1::ReadArraysRequest&)> on_read_arrays;
  bool hold_steps = false;  // Never answer the one step that comes.
  absl::Notification step_came;
  absl::Notification step_cancelled;

 private:
  static Reactor* Answer(Context* context, const grpc::Status& status) {
    Reactor* const reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  class Writer final : public grpc::ServerWriteReactor<v1::ReadArraysResponse> {
   public:
    explicit Writer(Stream stream) : stream_(std::move(stream)) { Next(); }
    void OnWriteDone(bool ok) override {
      if (ok) {
        Next();
      } else {
        Finish(grpc::Status::CANCELLED);
      }
    }
    void OnDone() override { delete this; }

   private:
    void Next() {
      if (next_ == stream_.messages.size()) {
        Finish(stream_.status);
      } else {
        StartWrite(&stream_.messages[next_++]);
      }
    }
    const Stream stream_;
    size_t next_ = 0;
  };
};

class FakeModels final : public v1::ModelService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* reply) override {
    const int page = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    reply->add_models()->set_name("model " + std::to_string(page));
    if (page < 2) reply->set_next_page_token(std::to_string(page + 1));
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context,
                                        const v1::UnloadModelRequest* request,
                                        v1::UnloadModelResponse*) override {
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(request->name() == "counter" ? grpc::Status::OK : kUnavailable);
    return reactor;
  }
};

// A callback that keeps its outcome, and fails the test when it runs twice.
template <typename Outcome>
class Catcher {
 public:
  absl::AnyInvocable<void(Outcome)> callback() {
    return [this](Outcome outcome) {
      EXPECT_FALSE(told_.HasBeenNotified()) << "the callback ran twice";
      outcome_ = std::move(outcome);
      told_.Notify();
    };
  }
  bool told() const { return told_.HasBeenNotified(); }
  const Outcome& Wait() {
    EXPECT_TRUE(told_.WaitForNotificationWithTimeout(absl::Seconds(60))) << "the callback did not run";
    return *outcome_;
  }

 private:
  absl::Notification told_;
  std::optional<Outcome> outcome_;
};
template <typename T>
using ResultCatcher = Catcher<absl::StatusOr<T>>;

// The real gRPC over a channel inside the process: what comes and goes is what it would be over a network.
class AsyncClientTest : public ::testing::Test {
 protected:
  AsyncClientTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&states_);
    builder.RegisterService(&models_);
    server_ = builder.BuildAndStart();
    options_.retry = {.max_attempts = 4,
                      .initial_backoff = absl::Milliseconds(100),
                      .multiplier = 2,
                      .max_backoff = absl::Milliseconds(300)};
    options_.sleep = [this](absl::Duration pause) { pauses_->push_back(pause); };
  }
  ~AsyncClientTest() override {
    client_.reset();
    server_->Shutdown();
  }

  // The client under test; made at the first call, from options_.
  AsyncClient& client() {
    if (client_ == nullptr) {
      const auto channel = server_->InProcessChannel({});
      client_ = std::make_unique<AsyncClient>(
          Stubs{v1::ModelService::NewStub(channel), v1::StateService::NewStub(channel),
                v1::BranchService::NewStub(channel), v1::AdminService::NewStub(channel)},
          std::move(options_));
    }
    return *client_;
  }

  // Options whose pauses are real: the injected sleeper goes.
  void PauseFor(absl::Duration pause) {
    options_.sleep = nullptr;
    options_.retry.initial_backoff = options_.retry.max_backoff = pause;
  }

  FakeStates states_;
  FakeModels models_;
  std::unique_ptr<grpc::Server> server_;
  ClientOptions options_;
  std::shared_ptr<std::vector<absl::Duration>> pauses_ = std::make_shared<std::vector<absl::Duration>>();
  std::unique_ptr<AsyncClient> client_;
};

TEST_F(AsyncClientTest, StepSendsWhatItWasGiven) {
  v1::StepRequest sent;
  states_.on_step = [&](const auto&, const v1::StepRequest& request, v1::StepResponse& reply) {
    sent = request;
    reply.set_version(8);
    v1::NamedArray& output = *reply.add_outputs();
    output.set_name("y");
    output.mutable_array()->set_dtype(v1::INT32);
    output.mutable_array()->set_data(std::string("\5\0\0\0", 4));
    return grpc::Status::OK;
  };
  ResultCatcher<StepResult> result;
  client().Step({.state = BranchName{"live"},
                 .inputs = {{"x", Array::Scalar<int32_t>(3)}},
                 .expected_head = Version{7},
                 .request_id = "once"},
                result.callback());
  ASSERT_TRUE(result.Wait().ok()) << result.Wait().status();
  EXPECT_EQ(result.Wait()->version, Version{8});
  EXPECT_EQ(result.Wait()->outputs.at(0).second, Array::Scalar<int32_t>(5));
  EXPECT_EQ(sent.state().branch(), "live");
  EXPECT_EQ(sent.method(), "step");
  EXPECT_EQ(sent.inputs(0).name(), "x");
  EXPECT_EQ(sent.inputs(0).array().data(), std::string("\3\0\0\0", 4));
  EXPECT_EQ(sent.expected_head(), 7);
  EXPECT_EQ(sent.request_id(), "once");
}

TEST_F(AsyncClientTest, EveryCallHasADeadline) {
  absl::Time deadline;
  states_.on_step = [&](const FakeStates::Context& context, const auto&, const auto&) {
    deadline = absl::FromChrono(context.deadline());
    return grpc::Status::OK;
  };
  for (const auto& [options, timeout] : {std::pair(CallOptions{}, absl::Seconds(30)),
                                         std::pair(CallOptions{.timeout = absl::Hours(1)}, absl::Hours(1))}) {
    const absl::Time before = absl::Now();
    ResultCatcher<StepResult> result;
    client().Step({.state = Version{1}}, result.callback(), options);
    ASSERT_TRUE(result.Wait().ok()) << result.Wait().status();
    EXPECT_GE(deadline, before + timeout - absl::Milliseconds(1));
    EXPECT_LE(deadline, absl::Now() + timeout + absl::Milliseconds(1));
  }
}

TEST_F(AsyncClientTest, CallThatIsNotAnsweredEndsWithItsDeadline) {
  states_.hold_steps = true;
  ResultCatcher<StepResult> result;
  client().Step({.state = Version{1}}, result.callback(), {.timeout = absl::Milliseconds(20)});
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AsyncClientTest, UnavailableReadIsRepeatedWithGrowingPauses) {
  std::atomic<int> attempts = 0;
  states_.on_get_arrays = [&](const auto&, const auto&) {
    ++attempts;
    return kUnavailable;
  };
  ResultCatcher<GetArraysResult> result;
  client().GetArrays({.state = Version{1}}, result.callback());
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(attempts, 4);
  ASSERT_EQ(pauses_->size(), 3u);
  const absl::Duration most[] = {absl::Milliseconds(100), absl::Milliseconds(200), absl::Milliseconds(300)};
  for (size_t i = 0; i < pauses_->size(); ++i) {
    EXPECT_GE(pauses_->at(i), most[i] / 2);
    EXPECT_LE(pauses_->at(i), most[i]);
  }
}

TEST_F(AsyncClientTest, PausesWithoutASleeperAreTimed) {
  PauseFor(absl::Milliseconds(2));
  std::atomic<int> attempts = 0;
  states_.on_get_arrays = [&](const auto&, v1::GetArraysResponse& reply) {
    reply.set_version(5);
    return ++attempts < 3 ? kUnavailable : grpc::Status::OK;
  };
  const absl::Time start = absl::Now();
  ResultCatcher<GetArraysResult> result;
  client().GetArrays({.state = Version{5}}, result.callback());
  ASSERT_TRUE(result.Wait().ok()) << result.Wait().status();
  EXPECT_EQ(result.Wait()->version, Version{5});
  EXPECT_EQ(attempts, 3);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(2));  // Two pauses of at least half of 2 ms.
}

TEST_F(AsyncClientTest, UnavailableStepIsRepeatedOnlyWithRequestId) {
  std::atomic<int> attempts = 0;
  states_.on_step = [&](const auto&, const auto&, const auto&) {
    return ++attempts % 2 == 1 ? kUnavailable : grpc::Status::OK;
  };
  ResultCatcher<StepResult> with;
  client().Step({.state = Version{1}, .request_id = "once"}, with.callback());
  EXPECT_TRUE(with.Wait().ok());
  EXPECT_EQ(attempts, 2);
  ResultCatcher<StepResult> without;
  client().Step({.state = Version{1}}, without.callback());
  EXPECT_EQ(without.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(attempts, 3);
}

TEST_F(AsyncClientTest, ReasonAndMetadataComeWithTheError) {
  states_.on_step = [&](const auto&, const auto&, const auto&) {
    v1::ErrorInfo info;
    info.set_reason("HEAD_MOVED");
    (*info.mutable_metadata())["current_head"] = "9";
    v1::Status details;
    details.add_details()->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
    details.mutable_details(0)->set_value(info.SerializeAsString());
    return grpc::Status(grpc::StatusCode::ABORTED, "moved", details.SerializeAsString());
  };
  ResultCatcher<StepResult> result;
  client().Step({.state = BranchName{"live"}}, result.callback());
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ErrorReason(result.Wait().status()), "HEAD_MOVED");
  EXPECT_EQ(ErrorMetadata(result.Wait().status(), "current_head"), "9");
  EXPECT_TRUE(pauses_->empty());
}

TEST_F(AsyncClientTest, ListModelsTakesEveryPage) {
  ResultCatcher<std::vector<v1::ModelInfo>> models;
  client().ListModels(models.callback());
  ASSERT_TRUE(models.Wait().ok()) << models.Wait().status();
  ASSERT_EQ(models.Wait()->size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(models.Wait()->at(i).name(), "model " + std::to_string(i));
}

TEST_F(AsyncClientTest, CallWithoutAResultTellsItsStatus) {
  Catcher<absl::Status> unloaded;
  client().UnloadModel("counter", unloaded.callback());
  EXPECT_TRUE(unloaded.Wait().ok()) << unloaded.Wait();
  Catcher<absl::Status> failed;
  client().UnloadModel("gru", failed.callback());
  EXPECT_EQ(failed.Wait().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(pauses_->empty());  // It may not be repeated.
}

TEST_F(AsyncClientTest, CancelEndsACallThatRuns) {
  states_.hold_steps = true;
  ResultCatcher<StepResult> result;
  const PendingCall call = client().Step({.state = Version{1}}, result.callback());
  states_.step_came.WaitForNotification();
  EXPECT_FALSE(result.told());
  call.Cancel();
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kCancelled);
  states_.step_cancelled.WaitForNotification();
  call.Cancel();  // Of a call that is over: nothing.
}

TEST_F(AsyncClientTest, CancelEndsAPause) {
  PauseFor(absl::Hours(1));
  absl::Notification failed;
  states_.on_get_arrays = [&](const auto&, const auto&) {
    failed.Notify();  // A second attempt would notify twice, which ends the test.
    return kUnavailable;
  };
  ResultCatcher<GetArraysResult> result;
  const PendingCall call =
      client().GetArrays({.state = Version{1}}, result.callback(), {.timeout = absl::Hours(10)});
  failed.WaitForNotification();  // The client pauses now, or is about to.
  call.Cancel();
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(AsyncClientTest, DestructionCancelsWhatIsOutstandingAndWaits) {
  states_.hold_steps = true;
  std::atomic<int> ended = 0;
  AsyncClient* const dying = &client();
  dying->Step({.state = Version{1}}, [&](const absl::StatusOr<StepResult>& result) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
    // What a callback still starts is cancelled too.
    dying->GetSnapshot(Version{1}, [&](const absl::StatusOr<v1::Snapshot>& later) {
      EXPECT_EQ(later.status().code(), absl::StatusCode::kCancelled);
      ++ended;
    });
    ++ended;
  });
  states_.step_came.WaitForNotification();
  client_.reset();
  EXPECT_EQ(ended, 2);
}

TEST_F(AsyncClientTest, DestructionEndsAPause) {
  PauseFor(absl::Hours(1));
  absl::Notification failed;
  states_.on_get_arrays = [&](const auto&, const auto&) {
    failed.Notify();
    return kUnavailable;
  };
  ResultCatcher<GetArraysResult> result;
  client().GetArrays({.state = Version{1}}, result.callback(), {.timeout = absl::Hours(10)});
  failed.WaitForNotification();
  client_.reset();
  ASSERT_TRUE(result.told());
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(AsyncClientTest, WhatACallbackCapturesIsGoneWhenTheClientIs) {
  auto token = std::make_shared<int>();
  const std::weak_ptr<int> watched = token;
  client().GetSnapshot(Version{1}, [token = std::move(token)](const absl::StatusOr<v1::Snapshot>&) {});
  client_.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_F(AsyncClientTest, EveryOneOfManyCallbacksRunsOnce) {
  constexpr int kCalls = 2000;
  std::vector<std::atomic<int>> runs(kCalls);
  std::atomic<int> wrong = 0;
  for (int i = 0; i < kCalls; ++i) {
    const PendingCall call =
        client().GetSnapshot(Version{i + 1}, [&, i](const absl::StatusOr<v1::Snapshot>& snapshot) {
          ++runs[static_cast<size_t>(i)];
          const bool answered = snapshot.ok() && snapshot->version() == i + 1;
          if (!answered && snapshot.status().code() != absl::StatusCode::kCancelled) ++wrong;
        });
    if (i % 3 == 0) call.Cancel();
  }
  client_.reset();  // With many outstanding.
  for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
  EXPECT_EQ(wrong, 0);
}

TEST_F(AsyncClientTest, ReadArraysGoesOnWhereAStreamBroke) {
  std::vector<v1::ReadArraysRequest> sent;
  states_.on_read_arrays = [&](const v1::ReadArraysRequest& request) -> FakeStates::Stream {
    sent.push_back(request);
    if (sent.size() == 1) return {{HeaderMessage(), DataMessage(std::string("\0\0", 2))}, kUnavailable};
    return {{HeaderMessage(), DataMessage(std::string("\x80\x3f\0\0\0\x40\5\0", 8))}, grpc::Status::OK};
  };
  std::vector<std::pair<int64_t, int64_t>> progress;
  ResultCatcher<GetArraysResult> result;
  client().ReadArrays(
      {.state = BranchName{"live"}, .selectors = {{IndexPath{"a"}, {}}}}, result.callback(),
      {.on_progress = [&](int64_t received, int64_t total) { progress.emplace_back(received, total); }});
  ASSERT_TRUE(result.Wait().ok()) << result.Wait().status();
  EXPECT_EQ(result.Wait()->version, Version{7});
  ASSERT_EQ(result.Wait()->arrays.size(), 3u);
  EXPECT_EQ(result.Wait()->arrays[0].second, Array::From<float>({2}, std::vector<float>{1, 2}).value());
  EXPECT_EQ(result.Wait()->arrays[2].second, Array::From<int16_t>({1}, std::vector<int16_t>{5}).value());
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].state().branch(), "live");
  EXPECT_EQ(sent[1].state().version(), 7);
  EXPECT_EQ(sent[1].byte_offset(), 2);
  EXPECT_EQ(sent[1].selectors(0).index().path(), "a");
  EXPECT_EQ(pauses_->size(), 1u);
  EXPECT_EQ(progress, (std::vector<std::pair<int64_t, int64_t>>{{0, 10}, {2, 10}, {10, 10}}));
}

TEST_F(AsyncClientTest, SinkThatFailsEndsTheRead) {
  std::atomic<int> streams = 0;
  states_.on_read_arrays = [&](const auto&) -> FakeStates::Stream {
    ++streams;
    return {{HeaderMessage(), DataMessage("0123"), DataMessage("4567")}, grpc::Status::OK};
  };
  RecordingSink sink;
  sink.fail_at = 1;
  Catcher<absl::Status> status;
  client().ReadArrays({.state = Version{7}}, sink, status.callback());
  EXPECT_EQ(status.Wait(), absl::UnavailableError("the disk is full"));
  EXPECT_EQ(streams, 1);  // Though a server's UNAVAILABLE would have been answered with another.
  EXPECT_EQ(sink.chunks, (std::vector<RecordingSink::Chunk>{{0, 0, "0123"}}));
}

}  // namespace
}  // namespace stepwell::client
