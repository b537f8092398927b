#include "sinks/object/compressor.h"

#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>

namespace edgehose {
namespace {

class ZstdCompressor final : public Compressor {
 public:
  static Result<std::unique_ptr<Compressor>> make(int level) {
    auto made = std::make_unique<ZstdCompressor>();
    if (!made->context_) return fail(ErrorCode::kIo, "zstd: no memory for a compressor");
    ZSTD_CCtx* const context = made->context_.get();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    return made;
  }

  Status write(std::string_view raw, std::string& out) override {
    begun_ |= !raw.empty();
    return run(raw, ZSTD_e_continue, out);
  }
  Status end_frame(std::string& out) override {
    if (!begun_) return {};
    return empty_frame(out);
  }
  Status empty_frame(std::string& out) override {
    begun_ = false;
    return run({}, ZSTD_e_end, out);
  }

 private:
  Status run(std::string_view raw, ZSTD_EndDirective directive, std::string& out) {
    ZSTD_inBuffer in{raw.data(), raw.size(), 0};
    for (;;) {
      const std::size_t used = out.size();
      out.resize(used + std::max<std::size_t>(raw.size() / 4, 16 * 1024));
      ZSTD_outBuffer to{out.data() + used, out.size() - used, 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &to, &in, directive);
      out.resize(used + to.pos);
      if (ZSTD_isError(left))
        return fail(ErrorCode::kIo, "zstd: compressing: {}", ZSTD_getErrorName(left));
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  struct Free {
    void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_{ZSTD_createCCtx()};
  bool begun_ = false;
};

// libdeflate compresses whole buffers only, which is what makes it fast: hence the members.
class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(int level) : context_(libdeflate_alloc_compressor(level)) {}
  bool valid() const { return context_ != nullptr; }

  Status write(std::string_view raw, std::string& out) override {
    while (!raw.empty()) {
      if (pending_.empty() && raw.size() >= kGzipMemberBytes) {
        EH_TRY(member(raw.substr(0, kGzipMemberBytes), out));
        raw.remove_prefix(kGzipMemberBytes);
        continue;
      }
      const std::size_t n = std::min(raw.size(), kGzipMemberBytes - pending_.size());
      pending_.append(raw.substr(0, n));
      raw.remove_prefix(n);
      if (pending_.size() == kGzipMemberBytes) EH_TRY(end_frame(out));
    }
    return {};
  }
  Status end_frame(std::string& out) override {
    if (pending_.empty()) return {};
    EH_TRY(member(pending_, out));
    pending_.clear();
    return {};
  }
  Status empty_frame(std::string& out) override { return member({}, out); }

 private:
  Status member(std::string_view raw, std::string& out) {
    const std::size_t used = out.size();
    const std::size_t bound = libdeflate_gzip_compress_bound(context_.get(), raw.size());
    out.resize(used + bound);
    const std::size_t n =
        libdeflate_gzip_compress(context_.get(), raw.data(), raw.size(), out.data() + used, bound);
    out.resize(used + n);
    if (n == 0) return fail(ErrorCode::kIo, "gzip: a member did not fit its own bound");
    return {};
  }

  struct Free {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
  };
  std::unique_ptr<libdeflate_compressor, Free> context_;
  std::string pending_;
};

class PlainCompressor final : public Compressor {
 public:
  Status write(std::string_view raw, std::string& out) override {
    out.append(raw);
    return {};
  }
  Status end_frame(std::string&) override { return {}; }
  Status empty_frame(std::string&) override { return {}; }
};

Status check_range(std::string_view what, int level, int max) {
  if (level >= 1 && level <= max) return {};
  return fail(ErrorCode::kInvalid, "{} level {} is out of range: use 1 to {}", what, level, max);
}

}  // namespace

Status check_level(Compression compression, int level) {
  switch (compression) {
    case Compression::kZstd: return check_range("zstd", level, 19);
    case Compression::kGzip: return check_range("gzip", level, 9);
    case Compression::kNone: return {};
  }
  return fail(ErrorCode::kInvalid, "unknown compression {}", static_cast<int>(compression));
}

Result<std::unique_ptr<Compressor>> make_compressor(Compression compression, int level) {
  EH_TRY(check_level(compression, level));
  if (compression == Compression::kNone) return std::make_unique<PlainCompressor>();
  if (compression == Compression::kZstd) return ZstdCompressor::make(level);
  auto gzip = std::make_unique<GzipCompressor>(level);
  if (!gzip->valid()) return fail(ErrorCode::kIo, "gzip: no memory for a compressor");
  return gzip;
}

Compression detect_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x28\xB5\x2F\xFD")) return Compression::kZstd;
  if (first_bytes.starts_with("\x1F\x8B")) return Compression::kGzip;
  return Compression::kNone;
}

}  // namespace edgehose
