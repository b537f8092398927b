// Owned file descriptors and the few whole-file operations that several folders need.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/result.h"

namespace edgehose {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC, EINTR handled; the error names the path. What root creates belongs to the
// owner of the directory it lies in, so that a run by root leaves nothing that the service cannot
// open. Nothing is written through a symlink (ELOOP): who owns the directory could have root
// overwrite any file.
Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode = 0600);

// The same for what another made for us (a library, bind): what root owns in someone else's
// directory is given to that one.
void give_to_owner_of_parent(const std::string& path);

// At most `limit` bytes; a longer file is kInvalid.
Result<std::string> read_file(const std::string& path, std::size_t limit);

// Writes all of it, EINTR and short writes handled.
Status write_all(int fd, std::string_view bytes, const std::string& path);

// Temporary name in the same directory, fdatasync, rename, fsync of the directory: the file has
// either its old content or the new one after a power cut.
Status replace_file(const std::string& path, std::string_view content, mode_t mode);

Status sync_directory(const std::string& path);

// mkdir -p; directories that are there already are fine. Ownership as with open_file().
Status make_directories(const std::string& path, mode_t mode);

// Whether something has that name: a symlink that leads nowhere too.
bool name_exists(const std::string& path);

std::string parent_directory(const std::string& path);

}  // namespace edgehose
