#include "agent/sources/content.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "agent/base/compression.h"
#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

class FileBytes final : public ByteStream {
 public:
  explicit FileBytes(FileDescriptor file) : file_(std::move(file)) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    ssize_t got;
    do got = ::pread(file_.get(), out, size, offset_);
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno(errno, "reading");
    offset_ += got;
    return static_cast<std::size_t>(got);
  }

 private:
  FileDescriptor file_;
  off_t offset_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> open_content(FileDescriptor file, Format format) {
  auto bytes = std::make_unique<FileBytes>(std::move(file));
  switch (format) {
    case Format::kPlain: return bytes;
    case Format::kGzip: return make_decompressor(Compression::kGzip, std::move(bytes));
    case Format::kZstd: return make_decompressor(Compression::kZstd, std::move(bytes));
    case Format::kXz:
    case Format::kBzip2: break;
  }
  return fail(ErrorCode::kUnsupported, "{} files cannot be read", name(format));
}

Status ContentHasher::step(std::uint64_t& share) {
  std::vector<char> chunk(64 * 1024);
  while (share > 0 && !done()) {
    const std::uint64_t wanted = std::min({share, length_ - hashed_, std::uint64_t{chunk.size()}});
    EH_ASSIGN(const std::size_t got,
              content_->read(chunk.data(), static_cast<std::size_t>(wanted)));
    ended_ = got == 0;
    crc_ = crc32c(crc_, {chunk.data(), got});
    hashed_ += got;
    share -= got;
    tail_.append(chunk.data() + got - std::min(got, kTailBytes), std::min(got, kTailBytes));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), kTailBytes));
  }
  return {};
}

std::optional<std::uint32_t> ContentHasher::crc() const {
  return hashed_ == length_ ? std::optional(crc_) : std::nullopt;
}

}  // namespace edgehose
