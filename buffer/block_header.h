// The header of a stored block: 128 bytes and 24 for each extent, little-endian, plain.
//
//   0  magic "EHB1"        32  block number u64      88  key id u64
//   4  version u8 (1)      40  first sequence u64    96  nonce 12
//   5  flags u8            48  first time i64 (ns)  108  check 16
//   6  extent count u16    56  last time i64 (ns)   124  CRC-32C u32 of [0, 124) and the extents
//   8  header size u32     64  records u32          128  extents: file u32, records u32,
//  12  source u32          68  dictionary id u32                  begin u64, end u64
//  16  epoch 16            72  body raw u32, body stored u32, index raw u32, index stored u32
//
// Header size counts the extents. What follows it: the body frame, then the index frame.
// Threading: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "buffer/block.h"

namespace edgehose {

constexpr std::string_view kBlockMagic = "EHB1";
constexpr std::uint8_t kBlockVersion = 1;
constexpr std::size_t kBlockHeaderBytes = 128;
constexpr std::size_t kExtentBytes = 24;

inline std::size_t header_size(const BlockHeader& header) {
  return kBlockHeaderBytes + header.extents.size() * kExtentBytes;
}
// Header, extents and both frames.
inline std::uint64_t stored_size(const BlockHeader& header) {
  return header_size(header) + std::uint64_t{header.body_stored} + header.index_stored;
}

// Appends the header and its extents, CRC included.
void encode_header(const BlockHeader& header, std::string& out);

// The header as the AEAD authenticates it: nonce, check and CRC are zeros.
std::string associated_data(const BlockHeader& header);

// Decodes what stands at the front of `bytes`, which may go on after the block (a raw scan) or end
// before the columns do. kCorrupt: no magic, a wrong CRC, lengths that contradict each other.
// kUnsupported: a version of a later release.
Result<BlockHeader> decode_header(std::string_view bytes);

}  // namespace edgehose
