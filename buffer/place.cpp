// Whether the paths in data_dir still lead to the open buffer, and what is done where they do not:
// an open file outlives its name, and what is committed to it then dies with the process.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "agent/base/check.h"
#include "buffer/lock_file.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {

enum class Place { kHeld, kDeleted, kMoved, kReplaced };

Result<Place> place_of(int fd, const std::string& path) {
  struct stat open {
  }, named{};
  if (::fstat(fd, &open) != 0) return fail_errno(errno, "looking at the open " + path);
  if (::stat(path.c_str(), &named) == 0)
    return named.st_dev == open.st_dev && named.st_ino == open.st_ino ? Place::kHeld
                                                                      : Place::kReplaced;
  if (errno != ENOENT && errno != ENOTDIR) return fail_errno(errno, "looking at " + path);
  return open.st_nlink == 0 ? Place::kDeleted : Place::kMoved;
}

}  // namespace

Result<bool> StoreImpl::hold_place() {
  EH_CHECK(!read_only_ && !writing_);
  if (closed_) return false;
  if (!environment_.is_open()) EH_TRY(reopen());  // an earlier putting back ended half-way
  EH_ASSIGN(const Place file, place_of(environment_.fd(), path()));
  EH_ASSIGN(const Place lock, place_of(lock_.get(), path(keyspace::kLockFile)));
  EH_ASSIGN(const Place directory, place_of(directory_lock_.get(), options_.directory));
  std::vector<std::uint32_t> archives = archives_.ids();
  std::erase_if(archives, [this](std::uint32_t id) { return !archives_.deleted(id); });
  if (file == Place::kHeld && lock == Place::kHeld && directory == Place::kHeld && archives.empty())
    return false;
  if (file == Place::kMoved)
    return fail(ErrorCode::kNotFound, "{} was moved away under the agent: move it back", path());
  if (file == Place::kReplaced)
    return fail(ErrorCode::kBusy,
                "another file was put in the place of {}: stop the agent before a buffer is "
                "exchanged, and restart it now",
                path());
  EH_TRY(make_directories(options_.directory, 0750));
  if (directory != Place::kHeld) {
    EH_ASSIGN(directory_lock_, lock_directory(options_.directory));
  }
  if (lock != Place::kHeld) {
    EH_ASSIGN(lock_, take_lock(path(keyspace::kLockFile)));
  }
  for (const std::uint32_t id : archives)
    EH_TRY(archives_.put_back(options_.directory, id, *options_.progress));
  if (file == Place::kDeleted) EH_TRY(put_back());
  return true;
}

// The copy is whole and in place before the open file goes. A failure in between leaves an
// environment that is not open: begin() opens what lies there, which is that copy.
Status StoreImpl::put_back() {
  const std::string copy = path() + ".compact";
  ::unlink(copy.c_str());
  options_.progress->begin("putting the buffer back");
  if (const Status copied = copy_compact(copy); !copied) {
    ::unlink(copy.c_str());
    return copied;
  }
  EH_TRY(lmdb::Environment::move_into_place(copy, path()));
  const std::unique_lock environment(environment_mutex_);
  environment_.close();
  ::unlink((path() + "-lock").c_str());  // it counts the transactions of the old file
  EH_TRY(open_environment());
  for (Released& released : released_) released.transaction = 0;  // a copy counts from 1 again
  set_reserve_aside();
  copied_commits_ = UINT64_MAX;  // the copies outside are gone too
  return {};
}

}  // namespace edgehose
