#include "sinks/object/decrypt.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "sinks/object/age/buffered_input.h"
#include "sinks/object/age/decryptor.h"
#include "sinks/object/compressor.h"

namespace edgehose {
namespace {

constexpr std::size_t kMagicBytes = 64;

class DescriptorStream final : public ByteStream {
 public:
  DescriptorStream(int fd, std::string_view name) : fd_(fd), name_(name) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    for (;;) {
      const ssize_t n = ::read(fd_, out, size);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return fail_errno(errno, fmt::format("reading {}", name_));
    }
  }

 private:
  int fd_;
  std::string name_;
};

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(int fd, std::string_view name) : fd_(fd), name_(name) {}
  Result<std::unique_ptr<ByteStream>> open() override {
    if (::lseek(fd_, 0, SEEK_SET) == 0) return read_descriptor(fd_, name_);
    return fail(ErrorCode::kInvalid, "{} cannot be read twice, as it has to be: put it into a file",
                name_);
  }

 private:
  int fd_;
  std::string name_;
};

}  // namespace

Result<OpenedObject> open_object(std::unique_ptr<ByteStream> input, OpenOptions options) {
  OpenedObject opened;
  auto front = std::make_unique<age::BufferedInput>(std::move(input));
  EH_ASSIGN(std::string_view first, front->peek(kMagicBytes));
  if (looks_like_age(first)) {
    if (options.identities.empty())
      return fail(ErrorCode::kAuth,
                  "it is encrypted with age: give the identity (AGE-SECRET-KEY-1...) of one of its "
                  "recipients");
    opened.encrypted = true;
    auto decryptor =
        std::make_unique<AgeDecryptor>(std::move(front), std::move(options.identities));
    front = std::make_unique<age::BufferedInput>(std::move(decryptor));
    EH_ASSIGN(first, front->peek(kMagicBytes));
  }
  const Compression compression =
      options.decompress ? detect_compression(first) : Compression::kNone;
  opened.compressed = compression != Compression::kNone;
  opened.plain = make_decompressor(compression, std::move(front));
  return opened;
}

std::unique_ptr<ByteStream> read_descriptor(int fd, std::string_view name) {
  return std::make_unique<DescriptorStream>(fd, name);
}

std::unique_ptr<ByteSource> reread_descriptor(int fd, std::string_view name) {
  return std::make_unique<DescriptorSource>(fd, name);
}

Result<std::uint64_t> copy_stream(ByteStream& from,
                                  const std::function<Status(std::string_view)>& write) {
  std::string buffer(64 * 1024, '\0');
  for (std::uint64_t total = 0;;) {
    EH_ASSIGN(const std::size_t n, from.read(buffer.data(), buffer.size()));
    if (n == 0) return total;
    EH_TRY(write(std::string_view(buffer).substr(0, n)));
    total += n;
  }
}

}  // namespace edgehose
