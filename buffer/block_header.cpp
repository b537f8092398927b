#include "buffer/block_header.h"

#include <algorithm>

#include "agent/base/bytes.h"
#include "agent/base/check.h"
#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

constexpr std::size_t kNonceAt = 96;
constexpr std::size_t kCrcAt = 124;

void put_fixed(const BlockHeader& h, std::string& out) {
  out.append(kBlockMagic);
  put_le(out, kBlockVersion);
  put_le(out, h.flags);
  put_le(out, static_cast<std::uint16_t>(h.extents.size()));
  put_le(out, static_cast<std::uint32_t>(header_size(h)));
  put_le(out, h.source.value);
  put_bytes(out, h.epoch);
  put_le(out, h.number.value);
  put_le(out, h.first_sequence.value);
  put_le(out, h.first_time.value);
  put_le(out, h.last_time.value);
  put_le(out, h.records);
  put_le(out, h.dictionary);
  put_le(out, h.body_raw);
  put_le(out, h.body_stored);
  put_le(out, h.index_raw);
  put_le(out, h.index_stored);
  put_le(out, h.key);
  put_bytes(out, h.nonce);
  put_bytes(out, h.check);
}

void put_extents(const BlockHeader& h, std::string& out) {
  for (const Extent& e : h.extents) {
    put_le(out, e.file.value);
    put_le(out, e.records);
    put_le(out, e.begin);
    put_le(out, e.end);
  }
}

void get_fixed(ByteReader& in, BlockHeader& h) {
  h.source = SourceId(in.le<std::uint32_t>());
  get_bytes(in, h.epoch);
  h.number = BlockNumber(in.le<std::uint64_t>());
  h.first_sequence = Sequence(in.le<std::uint64_t>());
  h.first_time = WallTime(in.le<std::int64_t>());
  h.last_time = WallTime(in.le<std::int64_t>());
  h.records = in.le<std::uint32_t>();
  h.dictionary = in.le<std::uint32_t>();
  h.body_raw = in.le<std::uint32_t>();
  h.body_stored = in.le<std::uint32_t>();
  h.index_raw = in.le<std::uint32_t>();
  h.index_stored = in.le<std::uint32_t>();
  h.key = in.le<std::uint64_t>();
  get_bytes(in, h.nonce);
  get_bytes(in, h.check);
}

// True where the extents cover exactly the block's records.
bool get_extents(ByteReader& in, std::size_t count, BlockHeader& h) {
  h.extents.resize(count);
  std::uint64_t records = 0;
  for (Extent& e : h.extents) {
    e.file = FileId(in.le<std::uint32_t>());
    e.records = in.le<std::uint32_t>();
    e.begin = in.le<std::uint64_t>();
    e.end = in.le<std::uint64_t>();
    if (e.end < e.begin) return false;
    records += e.records;
  }
  return in.ok() && records == h.records;
}

}  // namespace

void encode_header(const BlockHeader& header, std::string& out) {
  EH_CHECK(header.extents.size() <= kBlockMaxExtents);
  const std::size_t start = out.size();
  put_fixed(header, out);
  std::string extents;
  put_extents(header, extents);
  const std::uint32_t crc = crc32c(crc32c(0, std::string_view(out).substr(start)), extents);
  put_le(out, crc);
  out.append(extents);
}

std::string associated_data(const BlockHeader& header) {
  std::string out;
  put_fixed(header, out);
  out.replace(kNonceAt, kBlockHeaderBytes - kNonceAt, kBlockHeaderBytes - kNonceAt, '\0');
  out.resize(kBlockHeaderBytes, '\0');
  put_extents(header, out);
  return out;
}

namespace {

// `size`: with its extents.
std::uint32_t header_crc(std::string_view bytes, std::size_t size) {
  return crc32c(crc32c(0, bytes.substr(0, kCrcAt)),
                bytes.substr(kBlockHeaderBytes, size - kBlockHeaderBytes));
}

// Damage to this one byte must not pass for a block of another release, which nobody leaves out.
bool is_ours_but_for_the_version(std::string_view bytes, std::size_t size) {
  constexpr std::size_t kLargest = kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes;
  if (size < kBlockHeaderBytes || size > std::min(bytes.size(), kLargest)) return false;
  std::string mended(bytes.substr(0, size));
  mended[kBlockMagic.size()] = static_cast<char>(kBlockVersion);
  ByteReader stored(std::string_view(mended).substr(kCrcAt));
  return stored.le<std::uint32_t>() == header_crc(mended, size);
}

}  // namespace

Result<BlockHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < kBlockHeaderBytes || !bytes.starts_with(kBlockMagic))
    return fail(ErrorCode::kCorrupt, "not a block: its first bytes are not a block header");
  ByteReader in(bytes.substr(kBlockMagic.size()));
  const auto version = in.le<std::uint8_t>();
  BlockHeader h;
  h.flags = in.le<std::uint8_t>();
  const std::size_t extents = in.le<std::uint16_t>();
  const std::size_t size = in.le<std::uint32_t>();
  if (version != kBlockVersion && !is_ours_but_for_the_version(bytes, size))
    return fail(ErrorCode::kUnsupported,
                "block format {} is of a later release; upgrade to read it", version);
  if (version != kBlockVersion)
    return fail(ErrorCode::kCorrupt, "the block header's version is damaged");
  if (extents > kBlockMaxExtents || size != kBlockHeaderBytes + extents * kExtentBytes ||
      size > bytes.size())
    return fail(ErrorCode::kCorrupt, "the block header's size contradicts its extents");
  get_fixed(in, h);
  if (in.le<std::uint32_t>() != header_crc(bytes, size))
    return fail(ErrorCode::kCorrupt, "the block header fails its checksum");
  if (!get_extents(in, extents, h) || h.records == 0)
    return fail(ErrorCode::kCorrupt, "block {}: extents and records disagree", h.number.value);
  return h;
}

}  // namespace edgehose
