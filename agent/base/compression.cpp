// gzip is read with zlib: libdeflate needs a whole member, and a file from elsewhere may be a
// single member of any size.
#include "agent/base/compression.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace edgehose {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

// What both formats share: refilling the input, counting it, and staying failed.
class Decompressor : public ByteStream {
 public:
  explicit Decompressor(std::unique_ptr<ByteStream> input) : input_(std::move(input)) {}

  Result<std::size_t> read(char* out, std::size_t size) final {
    if (failed_) return tl::unexpected<Error>(*failed_);
    auto n = size == 0 ? Result<std::size_t>(0) : decode(out, size);
    if (!n) failed_ = n.error();
    return n;
  }

 protected:
  // Up to `size` bytes; 0 only at the end.
  virtual Result<std::size_t> decode(char* out, std::size_t size) = 0;

  std::string_view unread() const { return std::string_view(buffer_).substr(used_, have_ - used_); }
  void consume(std::size_t n) { used_ += n; }
  std::uint64_t offset() const { return before_ + used_; }
  // False at the end of the input.
  Result<bool> refill() {
    if (used_ < have_) return true;
    before_ += have_;
    used_ = have_ = 0;
    EH_ASSIGN(have_, input_->read(buffer_.data(), buffer_.size()));
    return have_ > 0;
  }

 private:
  std::unique_ptr<ByteStream> input_;
  std::string buffer_ = std::string(kInputBytes, '\0');
  std::size_t used_ = 0, have_ = 0;
  std::uint64_t before_ = 0;
  std::optional<Error> failed_;
};

class ZstdDecompressor final : public Decompressor {
 public:
  ZstdDecompressor(std::unique_ptr<ByteStream> input, int max_window_log)
      : Decompressor(std::move(input)), max_window_log_(max_window_log) {
    if (context_) ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, max_window_log);
  }

 private:
  Result<std::size_t> decode(char* out, std::size_t size) override {
    if (!context_) return fail(ErrorCode::kIo, "zstd: no memory for a decompressor");
    ZSTD_outBuffer to{out, size, 0};
    for (;;) {
      // With input used up the decoder may still hold output: ask it before reading on.
      const std::string_view in = unread();
      ZSTD_inBuffer from{in.data(), in.size(), 0};
      if (inside_ || !in.empty()) {
        const std::size_t left = ZSTD_decompressStream(context_.get(), &to, &from);
        consume(from.pos);
        if (ZSTD_isError(left)) return failure(left);
        inside_ = left != 0;
      }
      if (to.pos > 0) return to.pos;
      if (!unread().empty()) continue;
      EH_ASSIGN(const bool more, refill());
      if (more) continue;
      if (inside_)
        return fail(ErrorCode::kCorrupt,
                    "zstd: the data end inside a frame, after {} compressed bytes: the file is cut "
                    "short",
                    offset());
      return std::size_t{0};
    }
  }

  Result<std::size_t> failure(std::size_t code) const {
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return fail(ErrorCode::kUnsupported,
                    "zstd: a frame asks for a window of more than {} MiB: decompress it with "
                    "`zstd -dc --long=31`",
                    (1 << max_window_log_) >> 20);
      case ZSTD_error_dictionary_wrong:
        return fail(ErrorCode::kUnsupported, "zstd: a frame needs a dictionary");
      case ZSTD_error_prefix_unknown:
        return fail(ErrorCode::kCorrupt, "zstd: no frame begins near compressed byte {}", offset());
      default:
        return fail(ErrorCode::kCorrupt, "zstd: damaged near compressed byte {}: {}", offset(),
                    ZSTD_getErrorName(code));
    }
  }

  struct Free {
    void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_{ZSTD_createDCtx()};
  int max_window_log_;
  bool inside_ = false;
};

class GzipDecompressor final : public Decompressor {
 public:
  explicit GzipDecompressor(std::unique_ptr<ByteStream> input) : Decompressor(std::move(input)) {
    ready_ = inflateInit2(&inflate_, 15 + 16) == Z_OK;  // 16: the gzip wrapper and nothing else
  }
  ~GzipDecompressor() override {
    if (ready_) inflateEnd(&inflate_);
  }

 private:
  Result<std::size_t> decode(char* out, std::size_t size) override {
    if (!ready_) return fail(ErrorCode::kIo, "gzip: no memory for a decompressor");
    const auto room = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
    for (;;) {
      EH_ASSIGN(const bool more, refill());
      if (more && skip_padding()) continue;
      if (!more && !inside_) return std::size_t{0};
      if (!more)
        return fail(ErrorCode::kCorrupt,
                    "gzip: the data end inside a member, after {} compressed bytes: the file is "
                    "cut short",
                    offset());
      EH_ASSIGN(const std::size_t n, inflate_some(out, room));
      if (n > 0) return n;
    }
  }

  // Zeros after a member; what follows them is no member and fails as one.
  bool skip_padding() {
    if (inside_ || !any_ || unread()[0] != '\0') return false;
    consume(std::min(unread().find_first_not_of('\0'), unread().size()));
    return true;
  }

  Result<std::size_t> inflate_some(char* out, uInt room) {
    const std::string_view in = unread();
    inflate_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    inflate_.avail_in = static_cast<uInt>(in.size());
    inflate_.next_out = reinterpret_cast<Bytef*>(out);
    inflate_.avail_out = room;
    inside_ = true;
    const int code = inflate(&inflate_, Z_NO_FLUSH);
    consume(in.size() - inflate_.avail_in);
    if (code == Z_STREAM_END) {
      inside_ = false;
      any_ = true;
      inflateReset(&inflate_);
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return fail(ErrorCode::kCorrupt, "gzip: damaged near compressed byte {}: {}", offset(),
                  inflate_.msg ? inflate_.msg : "not a gzip member");
    }
    return std::size_t{room - inflate_.avail_out};
  }

  z_stream inflate_{};
  bool ready_ = false;
  bool inside_ = false;
  bool any_ = false;  // a whole member was read
};

}  // namespace

std::unique_ptr<ByteStream> make_decompressor(Compression compression,
                                              std::unique_ptr<ByteStream> input,
                                              int max_window_log) {
  switch (compression) {
    case Compression::kZstd:
      return std::make_unique<ZstdDecompressor>(std::move(input), max_window_log);
    case Compression::kGzip: return std::make_unique<GzipDecompressor>(std::move(input));
    case Compression::kNone: break;
  }
  return input;
}

}  // namespace edgehose
