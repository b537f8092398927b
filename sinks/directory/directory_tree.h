// Opening the directory that a file goes to: checks the base directory and its file system, creates
// what is missing below it, durably, and works by descriptors from there on, so that a mount that
// comes or goes meanwhile cannot divert the file.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

struct BaseDirectory {
  FileDescriptor fd;
  std::string filesystem;  // filesystem_identity
};

enum class BaseProblem { kNone, kMissing, kOtherFilesystem };

// Whether `path` lies where removable media are mounted: nothing of ours is ever created there, for
// what is missing is the medium.
bool is_below_mount_points(std::string_view path);

// Whether the open `directory`, at or below `place`, lies on the file system that the system itself
// has there: nothing is mounted at the directory, at `place`, or in between.
bool is_unmounted(int directory, const std::string& place);

// kUnavailable where `path`, open as `directory`, is or lies below one of those places (itself or
// through links) and is_unmounted: an empty directory waits there for a medium.
Status refuse_unmounted(int directory, const std::string& path);

// Opens `path`. Where it is not there it is created if its parent exists, is on the expected file
// system (one is expected after the first delivery) and is not below /media, /mnt or /run/media;
// there something must be mounted as long as none is expected.
// `problem` tells the failures that need a person.
Result<BaseDirectory> open_base(const std::string& path, const std::string& expected_filesystem,
                                BaseProblem& problem);

// The components of "a/b/c"; kInvalid for ".", ".." and an empty last one. Empty ones are skipped.
Result<std::vector<std::string>> split_name(const std::string& name);

// Whether errno `sys`, of a call that was to create `name` in `directory`, says that the file
// system never takes that name, rather than that something is the matter with the place.
bool refuses_name(int directory, const std::string& name, int sys);

// Where the system answers EACCES on the way to the object `name` below `base`: the directory that
// cannot be entered or listed, else the deepest that is there, which cannot be written.
std::string refusing_directory(const std::string& base, const std::string& name);

// Opens the directory of the last of `components` below `base`, creating the others with an fsync
// of each one's parent. Remembers the ones known durable, a bounded number.
class SubdirectoryOpener {
 public:
  // `refused` is set where the file system never takes one of the names (refuses_name).
  Result<FileDescriptor> open(int base, const std::string& base_path,
                              const std::vector<std::string>& components, bool& refused);
  void forget() { durable_.clear(); }

 private:
  static constexpr std::size_t kRemembered = 64;
  std::set<std::string> durable_;
};

Status sync_directory_fd(int fd, const std::string& path);

}  // namespace edgehose
