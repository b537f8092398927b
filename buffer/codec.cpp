#include "buffer/codec.h"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "agent/base/bytes.h"
#include "agent/base/check.h"
#include "agent/base/crc32c.h"
#include "buffer/block_header.h"
#include "buffer/keys.h"

namespace edgehose {
namespace {

// Raw columns of more than this are not ours: a record and its attributes are bounded far below.
constexpr std::size_t kMaxColumnBytes = 64 * 1024 * 1024;

// A buffer that once held a giant record gives its memory back.
constexpr std::size_t kKeptCapacity = 1024 * 1024;

void trim_capacity(std::string& buffer) {
  if (buffer.capacity() > kKeptCapacity) std::string().swap(buffer);
}

void set_crc(BlockHeader& header, std::string_view frames) {
  std::string crc;
  put_le(crc, crc32c(0, frames));
  header.check = {};
  std::ranges::copy(crc, header.check.begin());
}

bool crc_matches(const BlockHeader& header, std::string_view frames) {
  BlockHeader computed;
  set_crc(computed, frames);
  return computed.check == header.check;
}

}  // namespace

BlockEncoder::BlockEncoder(int zstd_level) : context_(ZSTD_createCCtx()) {
  EH_CHECK(context_ != nullptr);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, zstd_level);
}

BlockEncoder::~BlockEncoder() { ZSTD_freeCCtx(context_); }

Result<std::size_t> BlockEncoder::compress(std::string_view column) {
  const std::size_t start = frames_.size();
  const std::size_t bound = ZSTD_compressBound(column.size());
  frames_.resize(start + bound);
  const std::size_t size =
      ZSTD_compress2(context_, frames_.data() + start, bound, column.data(), column.size());
  if (ZSTD_isError(size))
    return fail(ErrorCode::kIo, "compressing a block: {}", ZSTD_getErrorName(size));
  frames_.resize(start + size);
  return size;
}

Result<std::string_view> BlockEncoder::encode(const RawBlock& block, BlockHeader& header,
                                              Keyring* keys) {
  if (block.records == 0 || block.bodies.size() > kMaxColumnBytes ||
      block.index.size() > kMaxColumnBytes || block.extents.size() > kBlockMaxExtents)
    return fail(ErrorCode::kInvalid, "a block of {} records and {} bytes cannot be stored",
                block.records, block.bodies.size());
  trim_capacity(frames_);
  trim_capacity(stored_);
  frames_.clear();
  EH_ASSIGN(const std::size_t body, compress(block.bodies));
  EH_ASSIGN(const std::size_t index, compress(block.index));
  header.source = block.source;
  header.records = block.records;
  header.first_time = block.first_time;
  header.last_time = block.last_time;
  header.body_raw = static_cast<std::uint32_t>(block.bodies.size());
  header.body_stored = static_cast<std::uint32_t>(body);
  header.index_raw = static_cast<std::uint32_t>(block.index.size());
  header.index_stored = static_cast<std::uint32_t>(index);
  header.extents = block.extents;
  header.key = keys != nullptr ? keys->current() : 0;
  header.nonce = {};
  header.check = {};
  if (header.key != 0) {
    header.flags |= kBlockSealed;
    EH_TRY(keys->seal(header.key, associated_data(header), frames_.data(), frames_.size(),
                      header.nonce, header.check));
  } else {
    set_crc(header, frames_);
  }
  stored_.clear();
  stored_.reserve(header_size(header) + frames_.size());
  encode_header(header, stored_);
  stored_.append(frames_);
  return std::string_view(stored_);
}

Result<StoredBlock> open_block(std::string_view stored, const Keyring* keys) {
  StoredBlock block;
  EH_ASSIGN(block.header, decode_header(stored));
  const BlockHeader& h = block.header;
  if (stored.size() < stored_size(h))
    return fail(ErrorCode::kCorrupt, "block {} is cut short", h.number.value);
  const std::string_view frames =
      stored.substr(header_size(h), std::size_t{h.body_stored} + h.index_stored);
  if ((h.flags & kBlockSealed) == 0) {
    if (!crc_matches(h, frames))
      return fail(ErrorCode::kCorrupt, "block {} fails its checksum", h.number.value);
    block.body_frame = frames.substr(0, h.body_stored);
    block.index_frame = frames.substr(h.body_stored);
    return block;
  }
  if (keys == nullptr)
    return fail(ErrorCode::kAuth,
                "block {} is encrypted and there is no key; see buffer.encryption_keys",
                h.number.value);
  std::string plain(frames);
  if (auto opened =
          keys->open(h.key, associated_data(h), plain.data(), plain.size(), h.nonce, h.check);
      !opened)
    return tl::unexpected(
        std::move(opened).error().with_context(fmt::format("block {}", h.number.value)));
  block.index_frame = plain.substr(h.body_stored);
  plain.resize(h.body_stored);
  block.body_frame = std::move(plain);
  return block;
}

BlockDecoder::BlockDecoder() : context_(ZSTD_createDCtx()) { EH_CHECK(context_ != nullptr); }

BlockDecoder::~BlockDecoder() { ZSTD_freeDCtx(context_); }

Status BlockDecoder::decompress(std::string_view frame, std::size_t raw, BlockNumber number,
                                std::string& out) {
  if (raw > kMaxColumnBytes || ZSTD_getFrameContentSize(frame.data(), frame.size()) != raw)
    return fail(ErrorCode::kCorrupt, "block {}: a column's size contradicts its header",
                number.value);
  out.resize(raw);
  const std::size_t size =
      ZSTD_decompressDCtx(context_, out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) || size != raw)
    return fail(ErrorCode::kCorrupt, "block {}: a column does not decompress", number.value);
  return {};
}

Result<DecodedBlock> BlockDecoder::decode(const StoredBlock& stored) {
  DecodedBlock block;
  const BlockHeader& h = stored.header;
  EH_TRY(decompress(stored.body_frame, h.body_raw, h.number, block.bodies));
  EH_TRY(decompress(stored.index_frame, h.index_raw, h.number, block.index));
  block.header = h;
  return block;
}

}  // namespace edgehose
