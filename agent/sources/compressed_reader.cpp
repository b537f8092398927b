#include "agent/sources/compressed_reader.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

constexpr std::size_t kInput = 64 * 1024;
constexpr int kMaxWindowLog = 23;  // 8 MiB

// Compressed bytes, refilled from the file.
class Input {
 public:
  explicit Input(FileDescriptor file) : file_(std::move(file)), bytes_(kInput) {}

  std::string_view rest() const { return {bytes_.data() + begin_, end_ - begin_}; }
  void taken(std::size_t n) { begin_ += n; }
  // False: nothing is left.
  Result<bool> refill() {
    if (begin_ < end_) return true;
    ssize_t got;
    do got = ::read(file_.get(), bytes_.data(), bytes_.size());
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno(errno, "reading a compressed file");
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    return got > 0;
  }

 private:
  FileDescriptor file_;
  std::vector<char> bytes_;
  std::size_t begin_ = 0, end_ = 0;
};

class GzipReader final : public CompressedReader {
 public:
  explicit GzipReader(FileDescriptor file) : input_(std::move(file)) {
    ready_ = ::inflateInit2(&inflater_, 15 + 16) == Z_OK;
  }
  ~GzipReader() override {
    if (ready_) ::inflateEnd(&inflater_);
  }
  bool complete() const override { return between_members_ && members_ > 0; }

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (!ready_) return fail(ErrorCode::kIo, "zlib could not be initialised");
    inflater_.next_out = reinterpret_cast<Bytef*>(out);
    inflater_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1 << 30));
    const auto space = inflater_.avail_out;
    while (inflater_.avail_out == space && !ended_) EH_TRY(step());
    return static_cast<std::size_t>(space - inflater_.avail_out);
  }

 private:
  Status step() {
    EH_ASSIGN(const bool more, input_.refill());
    if (!more || (between_members_ && members_ > 0 && input_.rest()[0] != '\x1f')) {
      ended_ = true;  // zero padding after the last member is allowed
      return {};
    }
    const std::string_view in = input_.rest();
    inflater_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    inflater_.avail_in = static_cast<uInt>(in.size());
    between_members_ = false;
    const int code = ::inflate(&inflater_, Z_NO_FLUSH);
    input_.taken(in.size() - inflater_.avail_in);
    if (code == Z_STREAM_END) {
      ++members_;
      between_members_ = true;
      ::inflateReset(&inflater_);
      return {};
    }
    if (code != Z_OK && code != Z_BUF_ERROR)
      return fail(ErrorCode::kCorrupt, "the gzip data is damaged");
    return {};
  }

  Input input_;
  z_stream inflater_{};
  bool ready_ = false, between_members_ = true, ended_ = false;
  unsigned members_ = 0;
};

class ZstdReader final : public CompressedReader {
 public:
  explicit ZstdReader(FileDescriptor file)
      : input_(std::move(file)), decoder_(::ZSTD_createDCtx()) {
    if (decoder_) ::ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }
  bool complete() const override { return between_frames_ && frames_ > 0; }

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (!decoder_) return fail(ErrorCode::kIo, "no memory for a zstd decoder");
    ZSTD_outBuffer output{out, size, 0};
    while (output.pos == 0) {
      const std::string_view in = input_.rest();
      ZSTD_inBuffer source{in.data(), in.size(), 0};
      const std::size_t left = ::ZSTD_decompressStream(decoder_.get(), &output, &source);
      if (::ZSTD_isError(left))
        return fail(ErrorCode::kCorrupt, "the zstd data cannot be read: {}",
                    ::ZSTD_getErrorName(left));
      input_.taken(source.pos);
      if (source.pos > 0) between_frames_ = false;
      if (left == 0 && source.pos > 0) {
        between_frames_ = true;
        ++frames_;
      }
      if (output.pos > 0) break;
      if (source.pos == in.size()) {
        EH_ASSIGN(const bool more, input_.refill());
        if (!more) break;
      }
    }
    return output.pos;
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* decoder) const { ::ZSTD_freeDCtx(decoder); }
  };
  Input input_;
  std::unique_ptr<ZSTD_DCtx, Free> decoder_;
  bool between_frames_ = true;
  unsigned frames_ = 0;
};

}  // namespace

Result<std::unique_ptr<CompressedReader>> CompressedReader::open(FileDescriptor file,
                                                                 Format format) {
  if (format == Format::kGzip) return std::make_unique<GzipReader>(std::move(file));
  if (format == Format::kZstd) return std::make_unique<ZstdReader>(std::move(file));
  return fail(ErrorCode::kUnsupported, "{} files cannot be read", name(format));
}

std::optional<std::uint32_t> crc_of_content(ByteStream& content, std::uint64_t length) {
  std::vector<char> chunk(64 * 1024);
  std::uint32_t crc = 0;
  while (length > 0) {
    const auto got = content.read(chunk.data(), std::min<std::uint64_t>(length, chunk.size()));
    if (!got || *got == 0) return std::nullopt;
    crc = crc32c(crc, {chunk.data(), *got});
    length -= *got;
  }
  return crc;
}

}  // namespace edgehose
