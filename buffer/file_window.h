// FileWindow: a damaged file, read in pieces with pread.
//
// Threading: one thread.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace edgehose {

// A file, looked at through a window that moves; what the disk does not give reads as zeros.
class FileWindow {
 public:
  FileWindow(int fd, std::uint64_t size, std::size_t window)
      : fd_(fd), size_(size), window_(window) {}

  // How much is read at once from now on, where that suffices.
  void set_window(std::size_t bytes) { window_ = bytes; }
  std::size_t window() const { return window_; }

  std::uint64_t size() const { return size_; }
  std::uint64_t unreadable() const { return unreadable_; }

  // Whether [offset, offset + length) is there already.
  bool holds(std::uint64_t offset, std::uint64_t length) const {
    return offset >= start_ && offset + length <= start_ + bytes_.size();
  }

  // [offset, offset + length), less at the end of the file. Valid until the next call.
  std::string_view view(std::uint64_t offset, std::uint64_t length) {
    length = std::min(length, size_ - std::min(offset, size_));
    if (!holds(offset, length)) load(offset, length);
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - start_),
                                           static_cast<std::size_t>(length));
  }

  // What is there from `at` on: at least so much, but for the file's end.
  std::string_view ahead(std::uint64_t at, std::size_t least) {
    const std::uint64_t left = start_ + bytes_.size() - std::min(at, start_ + bytes_.size());
    return at < start_ || left < least ? view(at, window_) : view(at, left);
  }

 private:
  static constexpr std::size_t kSector = 4096;  // what is given up where one fails
  void load(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t wanted = std::min(std::max<std::uint64_t>(length, window_), size_ - offset);
    if (bytes_.capacity() > 2 * window_ && wanted <= window_) std::string().swap(bytes_);
    bytes_.assign(static_cast<std::size_t>(wanted), '\0');
    start_ = offset;
    for (std::size_t at = 0; at < bytes_.size();) at += fill(at, bytes_.size() - at);
  }

  // Reads as much as it can at `at` of the window; skips a page that fails.
  std::size_t fill(std::size_t at, std::size_t length) {
    ssize_t n = ::pread(fd_, bytes_.data() + at, length, static_cast<off_t>(start_ + at));
    if (n > 0) return static_cast<std::size_t>(n);
    if (n < 0 && errno == EINTR) return 0;
    const std::size_t page = std::min<std::size_t>(length, kSector - (start_ + at) % kSector);
    n = ::pread(fd_, bytes_.data() + at, page, static_cast<off_t>(start_ + at));
    if (n > 0) return static_cast<std::size_t>(n);
    std::memset(bytes_.data() + at, 0, page);
    unreadable_ += page;
    return page;
  }

  int fd_;
  std::uint64_t size_;
  std::size_t window_;
  std::uint64_t start_ = 0;
  std::string bytes_;
  std::uint64_t unreadable_ = 0;
};

}  // namespace edgehose
