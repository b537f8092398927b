// A copy outside as a file: written and read as a stream, so that neither takes memory for what the
// file holds. What is in it, and when: copies.h.
//
//   "EHCOPY1\n" | count u64 | for each: varint length, key, varint length, value | CRC-32C u32 of
//   all before
//
// Threading: values; one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

constexpr std::size_t kMaxCopyBytes = 64u << 20;
// Written and read at once; an entry has a few KiB at most and may stand there once more.
constexpr std::size_t kCopyBufferBytes = 64u << 10;

class CopyWriter {
 public:
  // Appends to `fd` from where it stands; `count` entries follow. `path` is for messages.
  CopyWriter(int fd, std::string path, std::uint64_t count);
  Status add(std::string_view key, std::string_view value);
  // Writes the rest; the bytes of the whole.
  Result<std::uint64_t> finish();

 private:
  Status flush();

  const int fd_;
  const std::string path_;
  std::string buffer_;
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_ = 0;
};

class CopyReader {
 public:
  // kNotFound: there is none; kCorrupt: it is no copy.
  static Result<CopyReader> open(const std::string& path);
  // False after the last entry, if the checksum fits. kCorrupt: what was read is worth nothing.
  Result<bool> next(std::string& key, std::string& value);

 private:
  CopyReader(FileDescriptor fd, std::string path, std::uint64_t left)
      : fd_(std::move(fd)), path_(std::move(path)), left_(left) {}
  tl::unexpected<Error> damaged() const;
  Status read_string(std::string& out);
  Status take(std::uint64_t n, std::string& out);
  Status refill(std::uint64_t most);
  Status check_end();

  FileDescriptor fd_;
  std::string path_;
  std::string buffer_;
  std::size_t used_ = 0;       // of the buffer
  std::uint64_t left_;         // bytes before the checksum that were not taken
  std::uint64_t entries_ = 0;  // that were not given
  std::uint32_t crc_ = 0;      // of all that was in the buffer
};

}  // namespace edgehose
