#include "sinks/directory/directory_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "buffer/device.h"
#include "sinks/directory/filesystem_identity.h"
#include "sinks/directory/portable_name.h"

namespace edgehose {
namespace {

constexpr mode_t kDirectoryMode = 0755;

std::string resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : path;
}

// Which of the places where media are mounted `path` is, or lies below; empty: none.
std::string_view place_of_media(std::string_view path) {
  constexpr std::array<std::string_view, 3> kPlaces{"/media", "/mnt", "/run/media"};
  for (const std::string_view place : kPlaces)
    if (path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/'))
      return place;
  return {};
}

bool exists(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 || errno != ENOENT;
}

Status create_base(const std::string& path, const std::string& expected, BaseProblem& problem) {
  problem = BaseProblem::kMissing;
  const std::string parent = parent_directory(path);
  if (is_below_mount_points(path) || is_below_mount_points(resolved(parent) + "/x"))
    return fail(
        ErrorCode::kUnavailable,
        "{} is not there, and nothing is created where media are mounted: mount the medium, "
        "or create the directory on it",
        path);
  auto parent_fd = open_file(parent, O_RDONLY | O_DIRECTORY);
  if (!parent_fd)
    return fail(ErrorCode::kUnavailable, "neither {} nor its parent is there: create it", path);
  EH_ASSIGN(const std::string found, filesystem_identity(parent_fd->get()));
  if (!same_filesystem(expected, found))
    return fail(ErrorCode::kUnavailable,
                "{} is not there; it was on another file system than its parent: mount that one",
                path);
  problem = BaseProblem::kNone;
  if (::mkdir(path.c_str(), kDirectoryMode) == 0)
    give_to_owner_of_parent(path);
  else if (errno != EEXIST)
    return fail_errno(errno, fmt::format("creating the directory {}", path));
  return sync_directory_fd(parent_fd->get(), parent);
}

}  // namespace

bool is_below_mount_points(std::string_view path) { return !place_of_media(path).empty(); }

bool is_unmounted(int directory, const std::string& place) {
  struct stat found {
  }, there{}, above{};
  const std::string real = resolved(place);
  if (::fstat(directory, &found) != 0 || ::stat(real.c_str(), &there) != 0 ||
      found.st_dev != there.st_dev)
    return false;
  // A disk may be mounted on the place itself; a file system in memory there is the system's own.
  return ::stat(parent_directory(real).c_str(), &above) != 0 || above.st_dev == there.st_dev ||
         is_volatile(real).value_or(false);
}

Status refuse_unmounted(int directory, const std::string& path) {
  for (const std::string& name : {path, resolved(path)}) {
    const std::string place(place_of_media(name));
    if (!place.empty() && is_unmounted(directory, place))
      return fail(ErrorCode::kUnavailable,
                  "nothing is mounted at or above {}: mount the medium, or use another path", path);
  }
  return {};
}

Result<BaseDirectory> open_base(const std::string& path, const std::string& expected_filesystem,
                                BaseProblem& problem) {
  problem = BaseProblem::kNone;
  if (!exists(path)) EH_TRY(create_base(path, expected_filesystem, problem));
  EH_ASSIGN(FileDescriptor fd, open_file(path, O_RDONLY | O_DIRECTORY));
  // Recorded, the system's own file system would pass for the right medium from then on.
  if (expected_filesystem.empty()) {
    if (Status mounted = refuse_unmounted(fd.get(), path); !mounted) {
      problem = BaseProblem::kMissing;
      return tl::unexpected<Error>(std::move(mounted).error());
    }
  }
  auto found = filesystem_identity(fd.get());
  if (!found) return tl::unexpected<Error>(std::move(found).error().with_context(path));
  if (!same_filesystem(expected_filesystem, *found)) {
    problem = BaseProblem::kOtherFilesystem;
    return fail(ErrorCode::kUnavailable,
                "{} is on another file system than before ({}, it was {}): mount the right one",
                path, *found, expected_filesystem);
  }
  return BaseDirectory{std::move(fd), std::move(*found)};
}

Result<std::vector<std::string>> split_name(const std::string& name) {
  std::vector<std::string> components;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = name.find('/', begin);
    std::string component = name.substr(begin, end == std::string::npos ? end : end - begin);
    if (component == "." || component == ".." || component.find('\0') != std::string::npos)
      return fail(ErrorCode::kInvalid, "the object's name {} leads out of its directory", name);
    if (end == std::string::npos) {
      if (component.empty())
        return fail(ErrorCode::kInvalid, "the object's name {} is a directory", name);
      components.push_back(std::move(component));
      return components;
    }
    if (!component.empty()) components.push_back(std::move(component));
    begin = end + 1;
  }
}

bool refuses_name(int directory, const std::string& name, int sys) {
  if (sys == EINVAL || sys == ENAMETOOLONG || sys == EILSEQ) return true;
  // Some drivers (exFAT's in user space, network shares) say ENOENT for a character they refuse,
  // which the kernel says of a directory that was removed meanwhile, too.
  struct stat st {};
  return sys == ENOENT && !unportable_part(name).empty() && ::fstat(directory, &st) == 0 &&
         st.st_nlink > 0;
}

std::string refusing_directory(const std::string& base, const std::string& name) {
  const auto is_there = [](const std::string& path) {
    return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0;
  };
  std::string path = base;
  while (path.size() > 1 && !is_there(path)) path = parent_directory(path);
  const auto components = split_name(name);
  if (path != base || !components) return path;
  for (std::size_t i = 0; i + 1 < components->size(); ++i) {
    const std::string next = path + "/" + (*components)[i];
    if (::faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) != 0 || !is_there(next)) break;
    path = next;
  }
  return path;
}

Result<FileDescriptor> SubdirectoryOpener::open(int base, const std::string& base_path,
                                                const std::vector<std::string>& components,
                                                bool& refused) {
  FileDescriptor at(::openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) return fail_errno(errno, fmt::format("opening {}", base_path));
  std::string path = base_path;
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    const std::string parent = path;
    path += "/" + components[i];
    const bool created = ::mkdirat(at.get(), components[i].c_str(), kDirectoryMode) == 0;
    if (const int sys = errno; !created && sys != EEXIST) {
      refused = refuses_name(at.get(), components[i], sys);
      return fail_errno(sys, fmt::format("creating the directory {}", path));
    }
    if (created) give_to_owner_of_parent(path);
    // One that is there may be of an attempt that was killed before its fsync.
    if (created || !durable_.contains(path)) {
      EH_TRY(sync_directory_fd(at.get(), parent));
      if (durable_.size() >= kRemembered) durable_.clear();
      durable_.insert(path);
    }
    FileDescriptor next(
        ::openat(at.get(), components[i].c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!next.valid()) return fail_errno(errno, fmt::format("opening the directory {}", path));
    at = std::move(next);
  }
  return at;
}

Status sync_directory_fd(int fd, const std::string& path) {
  // Some file systems (exFAT, some FUSE ones) cannot sync a directory and say EINVAL.
  if (::fsync(fd) != 0 && errno != EINVAL && errno != EOPNOTSUPP)
    return fail_errno(errno, fmt::format("syncing the directory {}", path));
  return {};
}

}  // namespace edgehose
