#ifndef STEPWELL_TESTS_CRASH_JOURNAL_H_
#define STEPWELL_TESTS_CRASH_JOURNAL_H_

#include <cstdint>
#include <deque>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/crash/ledger.h"

namespace stepwell::testing {

// Where the clients of one run of the server write down what they ask for and what is answered. Thread-safe.
class Journal {
 public:
  // The first operation gets the number after `last_id`.
  explicit Journal(int64_t last_id) : last_id_(last_id) {}

  // To be called before anything is sent. The operation is the caller's alone until Take.
  Operation& Begin(Operation operation) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    if (operation.id == 0) operation.id = ++last_id_;
    operation.sent = ++clock_;
    return operations_.emplace_back(std::move(operation));
  }

  // To be called once the answer is written into it.
  void Answered(Operation& operation) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    operation.answered = ++clock_;
    ++answered_;
  }

  // Something happened that must not.
  void Fail(std::string what) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    failures_.push_back(std::move(what));
  }

  // A client stops.
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    ++left_;
  }

  // Waits for so many answers, or a failure. False: there was neither within `timeout`, or before as many
  // clients had left.
  bool Await(int64_t answers, int clients, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    const auto reached = [this, answers]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return answered_ >= answers || !failures_.empty();
    };
    const auto over = [this, clients, &reached]()
                          ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return reached() || left_ >= clients; };
    mutex_.AwaitWithTimeout(absl::Condition(&over), timeout);
    return reached();
  }

  // When nobody writes any more.
  std::vector<std::string> failures() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return failures_;
  }
  int64_t last_id() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return last_id_;
  }
  std::vector<Operation> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return {std::make_move_iterator(operations_.begin()), std::make_move_iterator(operations_.end())};
  }

 private:
  mutable absl::Mutex mutex_;
  std::deque<Operation> operations_ ABSL_GUARDED_BY(mutex_);  // Which stay where they are.
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mutex_);
  int64_t last_id_ ABSL_GUARDED_BY(mutex_);
  int64_t clock_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  int left_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_JOURNAL_H_
