// Watcher: the one inotify instance of the process, watching directories, not files: a new name is
// news at once, and 10,000 files in one directory are one watch.
//
// It is a hint, never the truth: whatever it misses (network file systems, a full queue, a limit
// reached) the slow rescan finds. Threading: the intake thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/base/file.h"
#include "agent/sources/identity.h"

namespace edgehose {

class Watcher {
 public:
  // enabled false or no instance left: fd() is -1 and everything is polled.
  Watcher(bool enabled, std::size_t max_watches);

  int fd() const { return inotify_.get(); }
  // Watches exactly these directories, as far as the limits allow; where a path leads to another
  // directory by now, that one. True where one was not watched before.
  bool watch(const std::map<std::string, FileStat>& directories);
  // All that happened in them since before that call was or will be told: each was watched already,
  // by this path alone.
  bool complete() const { return complete_; }
  // Reads what happened: changed(path) for a file that was written, the return value true where
  // names came, went or moved, or where news may have been lost.
  bool read(const std::function<void(const std::string&)>& changed);
  // What the limits keep from being watched, and the sysctl that raises them; empty: nothing.
  const std::string& problem() const { return problem_; }

 private:
  enum class Added { kBefore, kNow, kNot, kOverLimit };
  struct Watch {
    int descriptor = -1;
    std::uint64_t device = 0, inode = 0;  // of the directory
  };
  using Watches = std::unordered_map<std::string, Watch>;

  Added add(const std::string& directory, const FileStat& stat);
  Watches::iterator remove(Watches::iterator watch);

  std::size_t max_watches_;
  FileDescriptor inotify_;
  std::unordered_map<int, std::string> directories_;  // by watch
  Watches watches_;
  bool complete_ = false;
  std::string problem_;
};

}  // namespace edgehose
