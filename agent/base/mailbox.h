// How threads talk: a Mailbox hands values to one owner and wakes it; a Published value is the
// latest snapshot of something, copied out by whoever asks. Nothing else is shared between loops.
//
// Threading: post() and read() from any thread, take() by the owner of the waker. Bounded by what
// posts: each user states its own bound (a window of claims, their outcomes).
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "agent/base/clock.h"

namespace edgehose {

template <class T>
class Mailbox {
 public:
  explicit Mailbox(Waker& owner) : owner_(owner) {}

  void post(T value) {
    {
      const std::lock_guard lock(mutex_);
      values_.push_back(std::move(value));
    }
    owner_.wake();
  }

  std::vector<T> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(values_, {});
  }

 private:
  Waker& owner_;
  std::mutex mutex_;
  std::vector<T> values_;
};

template <class T>
class Published {
 public:
  void publish(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  T read() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace edgehose
