#include "agent/sources/watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/base/log.h"
#include "agent/base/result.h"

namespace edgehose {
namespace {

constexpr std::uint32_t kNames = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                 IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_ATTRIB;
constexpr std::uint32_t kMask = kNames | IN_MODIFY | IN_ONLYDIR;
constexpr std::uint32_t kLost = IN_Q_OVERFLOW | IN_IGNORED;

std::string instance_problem(int error) {
  if (error == EMFILE)
    return "no inotify instance is left (fs.inotify.max_user_instances): new data is found by "
           "rescans only; raise it with: sysctl fs.inotify.max_user_instances=512";
  return fmt::format("inotify is not available ({}): new data is found by rescans only",
                     std::strerror(error));
}

std::string watches_problem(std::size_t missing) {
  return fmt::format(
      "{} directories could not be watched (fs.inotify.max_user_watches): their new "
      "data is found by rescans only; raise it with: sysctl "
      "fs.inotify.max_user_watches=65536",
      missing);
}

}  // namespace

Watcher::Watcher(bool enabled, std::size_t max_watches) : max_watches_(max_watches) {
  if (!enabled) return;
  inotify_ = FileDescriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (inotify_.valid()) return;
  problem_ = instance_problem(errno);
  log::warn("{}", problem_);
}

Watcher::Added Watcher::add(const std::string& directory, const FileStat& stat) {
  if (watches_.contains(directory)) return Added::kBefore;
  if (watches_.size() >= max_watches_) return Added::kOverLimit;
  const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kMask);
  if (watch < 0)  // not there or not ours: rescans tell
    return errno == ENOSPC || errno == ENOMEM ? Added::kOverLimit : Added::kNot;
  directories_[watch] = directory;
  watches_[directory] = {watch, stat.device, stat.inode};
  return Added::kNow;
}

Watcher::Watches::iterator Watcher::remove(Watches::iterator watch) {
  ::inotify_rm_watch(inotify_.get(), watch->second.descriptor);
  directories_.erase(watch->second.descriptor);
  return watches_.erase(watch);
}

bool Watcher::watch(const std::map<std::string, FileStat>& directories) {
  if (!inotify_.valid()) return false;
  for (auto it = watches_.begin(); it != watches_.end();) {
    const auto wanted = directories.find(it->first);
    const bool same = wanted != directories.end() && wanted->second.device == it->second.device &&
                      wanted->second.inode == it->second.inode;
    it = same ? std::next(it) : remove(it);
  }
  std::size_t missing = 0;
  bool anew = false;
  complete_ = true;
  for (const auto& [directory, stat] : directories) {
    const Added added = add(directory, stat);
    if (added == Added::kOverLimit) ++missing;
    if (added != Added::kBefore) complete_ = false;
    anew = anew || added == Added::kNow;
  }
  // One directory of two paths has one watch, and events give one of them.
  if (directories_.size() != watches_.size()) complete_ = false;
  std::string problem = missing > 0 ? watches_problem(missing) : std::string();
  if (!problem.empty() && problem_.empty()) log::warn("{}", problem);
  problem_ = std::move(problem);
  return anew;
}

bool Watcher::read(const std::function<void(const std::string&)>& changed) {
  if (!inotify_.valid()) return false;
  bool names = false;
  alignas(inotify_event) char buffer[16 * 1024];
  // Bounded: a writer that never pauses must not keep us here.
  for (int round = 0; round < 16; ++round) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event)) + event->len;
      if ((event->mask & (kNames | kLost)) != 0) names = true;
      const auto directory = directories_.find(event->wd);
      if (directory == directories_.end()) continue;
      if ((event->mask & IN_IGNORED) != 0) {
        watches_.erase(directory->second);
        directories_.erase(directory);
      } else if ((event->mask & IN_MODIFY) != 0 && event->len > 0) {
        changed(directory->second + "/" + event->name);
      }
    }
  }
  return names;
}

}  // namespace edgehose
