#include "buffer/copy_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

constexpr std::string_view kMagic = "EHCOPY1\n";
constexpr std::uint64_t kCountBytes = 8, kChecksumBytes = 4;

}  // namespace

// --- writing -------------------------------------------------------------------------------------

CopyWriter::CopyWriter(int fd, std::string path, std::uint64_t count)
    : fd_(fd), path_(std::move(path)), buffer_(kMagic) {
  put_le(buffer_, count);
}

Status CopyWriter::add(std::string_view key, std::string_view value) {
  put_string(buffer_, key);
  put_string(buffer_, value);
  return buffer_.size() < kCopyBufferBytes ? Status{} : flush();
}

Status CopyWriter::flush() {
  crc_ = crc32c(crc_, buffer_);
  bytes_ += buffer_.size();
  EH_TRY(write_all(fd_, buffer_, path_));
  buffer_.clear();
  return {};
}

Result<std::uint64_t> CopyWriter::finish() {
  EH_TRY(flush());
  put_le(buffer_, std::uint32_t{crc_});
  EH_TRY(flush());
  return bytes_;
}

// --- reading -------------------------------------------------------------------------------------

Result<CopyReader> CopyReader::open(const std::string& path) {
  EH_ASSIGN(FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, fmt::format("reading {}", path));
  const auto size = static_cast<std::uint64_t>(st.st_size);
  CopyReader reader(std::move(fd), path, size - std::min(size, kChecksumBytes));
  if (size > kMaxCopyBytes + kMagic.size() + kCountBytes + kChecksumBytes) return reader.damaged();
  std::string magic, count;
  EH_TRY(reader.take(kMagic.size(), magic));
  EH_TRY(reader.take(kCountBytes, count));
  if (magic != kMagic) return reader.damaged();
  reader.entries_ = ByteReader(count).le<std::uint64_t>();
  return reader;
}

Result<bool> CopyReader::next(std::string& key, std::string& value) {
  if (entries_ == 0) {
    EH_TRY(check_end());
    return false;
  }
  --entries_;
  EH_TRY(read_string(key));
  EH_TRY(read_string(value));
  return true;
}

Status CopyReader::check_end() {
  if (left_ != 0) return damaged();
  const std::uint32_t crc = crc_;
  std::string checksum;
  left_ = kChecksumBytes;
  EH_TRY(take(kChecksumBytes, checksum));
  return ByteReader(checksum).le<std::uint32_t>() == crc ? Status{} : damaged();
}

Status CopyReader::read_string(std::string& out) {
  std::string length, byte;
  do {
    EH_TRY(take(1, byte));
    length += byte;
  } while (static_cast<unsigned char>(byte[0]) >= 0x80);
  ByteReader number(length);
  const std::uint64_t n = number.varint();
  return number.ok() ? take(n, out) : damaged();
}

Status CopyReader::take(std::uint64_t n, std::string& out) {
  if (n > left_) return damaged();
  left_ -= n;
  out.clear();
  while (n > 0) {
    if (used_ == buffer_.size()) EH_TRY(refill(n + left_));
    const auto part = std::min(buffer_.size() - used_, static_cast<std::size_t>(n));
    out.append(buffer_, used_, part);
    used_ += part;
    n -= part;
  }
  return {};
}

Status CopyReader::refill(std::uint64_t most) {
  buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kCopyBufferBytes, most)));
  used_ = 0;
  for (;;) {
    const ssize_t n = ::read(fd_.get(), buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("reading {}", path_));
    buffer_.resize(static_cast<std::size_t>(n));
    crc_ = crc32c(crc_, buffer_);
    return n > 0 ? Status{} : damaged();
  }
}

tl::unexpected<Error> CopyReader::damaged() const {
  return fail(ErrorCode::kCorrupt, "{} is damaged", path_);
}

}  // namespace edgehose
