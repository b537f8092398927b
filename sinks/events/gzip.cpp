#include "sinks/events/gzip.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <memory>

#include "agent/base/compression.h"
#include "sinks/http_message.h"

namespace edgehose {
namespace {

constexpr int kLevel = 1;

}  // namespace

Result<std::string> gzip(std::string_view bytes) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!compressor) return fail(ErrorCode::kIo, "gzip: no memory for a compressor");
  // Not filled first: of the bound a tenth is used, and pages that are not touched cost nothing.
  const std::size_t bound = libdeflate_gzip_compress_bound(compressor.get(), bytes.size());
  const auto out = std::make_unique_for_overwrite<char[]>(bound);
  const std::size_t size =
      libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.get(), bound);
  if (size == 0) return fail(ErrorCode::kIo, "gzip: a body did not fit its own bound");
  return std::string(out.get(), size);
}

Result<std::string> gunzip(std::string bytes, std::size_t limit) {
  std::string out;
  EH_TRY(gunzip(std::move(bytes), limit, out));
  return out;
}

Status gunzip(std::string bytes, std::size_t limit, std::string& out) {
  EH_ASSIGN(auto compressed, body_of(std::move(bytes))->open());
  const auto stream = make_decompressor(Compression::kGzip, std::move(compressed));
  std::array<char, 16 << 10> piece;
  for (std::size_t room = limit;;) {
    EH_ASSIGN(const std::size_t n, stream->read(piece.data(), piece.size()));
    if (n == 0) return {};
    out.append(piece.data(), std::min(n, room));
    if (n > room) return fail(ErrorCode::kFull, "it is longer than {} bytes", limit);
    room -= n;
  }
}

}  // namespace edgehose
