// CopyWatch: tells how a file grows that somebody else writes, so that whoever waits for the copy
// knows that it goes on.
//
// Threading: a thread of its own from construction to destruction.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "buffer/open_progress.h"

namespace edgehose {

class CopyWatch {
 public:
  CopyWatch(std::string path, std::shared_ptr<OpenProgress> progress,
            std::chrono::milliseconds every = std::chrono::seconds(1))
      : path_(std::move(path)),
        progress_(std::move(progress)),
        every_(every),
        thread_([this] { watch(); }) {}
  ~CopyWatch() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    end_.notify_one();
    thread_.join();
  }

 private:
  void watch() {
    std::int64_t told = 0;
    std::unique_lock lock(mutex_);
    while (!end_.wait_for(lock, every_, [this] { return ended_; })) {
      struct stat st {};
      if (::stat(path_.c_str(), &st) != 0 || st.st_size <= told) continue;
      told = st.st_size;
      progress_->advance(static_cast<std::uint64_t>(told));
    }
  }

  const std::string path_;
  const std::shared_ptr<OpenProgress> progress_;
  const std::chrono::milliseconds every_;
  std::mutex mutex_;
  std::condition_variable end_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace edgehose
