#ifndef STEPWELL_MODEL_TESTING_LOAD_GATE_H_
#define STEPWELL_MODEL_TESTING_LOAD_GATE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "spdlog/sinks/sink.h"
#include "spdlog/spdlog.h"
#include "stepwell/model/testing/graph_builder.h"

namespace stepwell::testing {

// Holds the load of a model: ONNX Runtime warns of an initializer that nothing uses, and while a LoadGate
// lives, the thread that logs that warning waits until the gate is opened. One at a time.
class LoadGate {
 public:
  LoadGate() : sink_(std::make_shared<Sink>()), logger_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("held", sink_));
  }
  ~LoadGate() { spdlog::set_default_logger(logger_); }
  LoadGate(const LoadGate&) = delete;
  LoadGate& operator=(const LoadGate&) = delete;

  // A graph whose load is held.
  static GraphBuilder Graph() {
    GraphBuilder graph = CounterGraph();
    graph.Initializer("held_by_the_gate", Array::Scalar<int32_t>(0));
    return graph;
  }

  void WaitUntilHeld() { sink_->held.WaitForNotification(); }
  void Open() { sink_->opened.Notify(); }

 private:
  struct Sink final : spdlog::sinks::sink {
    void log(const spdlog::details::log_msg& message) override {
      if (std::string(message.payload.data(), message.payload.size()).find("held_by_the_gate") ==
          std::string::npos)
        return;
      if (held.HasBeenNotified()) return;
      held.Notify();
      opened.WaitForNotification();
    }
    void flush() override {}
    void set_pattern(const std::string& /*pattern*/) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

    absl::Notification held;
    absl::Notification opened;
  };

  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_MODEL_TESTING_LOAD_GATE_H_
