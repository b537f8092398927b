#include "agent/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace edgehose {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

// No error: who may not give it away, or a file system without owners, is no worse off than before.
void give_to_owner_of_parent(const std::string& path) {
  struct stat parent {
  }, own{};
  if (::geteuid() != 0 || ::stat(parent_directory(path).c_str(), &parent) != 0) return;
  if (parent.st_uid == 0 || ::lstat(path.c_str(), &own) != 0 || own.st_uid != 0) return;
  [[maybe_unused]] const int ignored = ::lchown(path.c_str(), parent.st_uid, parent.st_gid);
}

namespace {

Status make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0)
    give_to_owner_of_parent(path);
  else if (errno != EEXIST)
    return fail_errno(errno, fmt::format("creating the directory {}", path));
  return {};
}

}  // namespace

Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY && (flags & O_DIRECTORY) == 0;
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | (writes ? O_NOFOLLOW : 0), mode);
    if (fd >= 0) {
      if ((flags & O_CREAT) != 0) give_to_owner_of_parent(path);
      return FileDescriptor(fd);
    }
    if (writes && errno == ELOOP)
      return fail(ErrorCode::kPermission,
                  "opening {}: nothing is written through a symlink; remove it", path);
    if (errno != EINTR) return fail_errno(errno, fmt::format("opening {}", path));
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  std::string content;
  char chunk[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("reading {}", path));
    if (n == 0) return content;
    content.append(chunk, static_cast<std::size_t>(n));
    if (content.size() > limit)
      return fail(ErrorCode::kInvalid, "reading {}: it is longer than {} bytes", path, limit);
  }
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("writing {}", path));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status replace_file(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".tmp";
  {
    EH_ASSIGN(const FileDescriptor fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
    EH_TRY(write_all(fd.get(), content, temporary));
    if (::fdatasync(fd.get()) != 0) return fail_errno(errno, fmt::format("syncing {}", temporary));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return fail_errno(errno, fmt::format("renaming {} to {}", temporary, path));
  return sync_directory(parent_directory(path));
}

Status sync_directory(const std::string& path) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY | O_DIRECTORY));
  // Some file systems (exFAT, some FUSE ones) cannot sync a directory and say EINVAL.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EOPNOTSUPP)
    return fail_errno(errno, fmt::format("syncing the directory {}", path));
  return {};
}

Status make_directories(const std::string& path, mode_t mode) {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
  const std::string parent = parent_directory(path);
  if (parent != path && parent != ".") EH_TRY(make_directories(parent, mode));
  return make_directory(path, mode);
}

bool name_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::string parent_directory(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const std::size_t slash = path.find_last_of('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace edgehose
