// Block: consecutive records of one source, the unit that is stored, read and trimmed.
//
//   BlockBuilder  collects records, uncompressed, until the block is full
//   RawBlock      what it collected; the store encodes it (codec.h) and numbers it
//   BlockHeader   what stands in front of every stored block, 128 bytes and the extents
//   DecodedBlock  a block read back, its records iterated with RecordReader
//
// A block has two columns. Bodies: each record's bytes and an LF. Index: lengths, times, flags,
// attributes. Each column is a zstd frame of its own, so the body frames of successive blocks, one
// after the other, are a valid .zst file of lines. The grammar and a worked example: README.md.
//
// Threading: values; no shared state.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "buffer/record.h"

namespace edgehose {

using Epoch = std::array<std::uint8_t, 16>;  // 128 random bits

// A block is full at this many raw body bytes; only a single longer record makes a larger one.
constexpr std::size_t kBlockRawBytes = 256 * 1024;
// From here on a block counts as full.
constexpr std::size_t kBlockFullBytes = kBlockRawBytes / 8 * 7;
// Up to here a block is a mini, to be merged with its neighbours. A larger one stays as it is: its
// frames compress within 8 % of a full block's, and a merge would write it to the flash again.
constexpr std::size_t kMiniRawBytes = 64 * 1024;
constexpr std::size_t kBlockMaxExtents = 4096;
constexpr std::size_t kMaxRecordBytes = 16 * 1024 * 1024;

// Bytes [begin, end) of a file that `records` consecutive records of the block came from, so that
// a salvage can restore positions.
struct Extent {
  FileId file;
  std::uint32_t records = 0;
  std::uint64_t begin = 0, end = 0;
  bool operator==(const Extent&) const = default;
};

struct RawBlock {
  SourceId source;
  std::uint32_t records = 0;
  WallTime first_time, last_time;  // of the first and last record
  std::string bodies;
  std::string index;
  std::vector<Extent> extents;
  bool slow = false;  // its records came slowly: worth more of the CPU, to save flash and link
};

// True for at most 16 KiB of raw bytes in each whole second: there is time to compress them well.
constexpr bool comes_slowly(std::size_t raw_bytes, Duration time) {
  return static_cast<std::int64_t>(raw_bytes / (16 * 1024)) < time / std::chrono::seconds(1);
}

class BlockBuilder {
 public:
  explicit BlockBuilder(SourceId source) { block_.source = source; }

  bool empty() const { return block_.records == 0; }
  std::size_t raw_bytes() const { return block_.bodies.size(); }
  // True where this record would take the block past its size: take() first.
  bool would_overflow(const NewRecord& record) const;
  void append(const NewRecord& record);
  // What append() of one line after the other would do, at a fraction of the cost. Stops in front
  // of a line that does not fit into the block or is longer than it may be.
  TakenLines append_lines(const NewLines& lines);
  // The block collected so far; the builder is empty again.
  RawBlock take();

 private:
  void reserve_bodies();
  void extend(FileId file, std::uint32_t records, std::uint64_t begin, std::uint64_t end);

  RawBlock block_;
};

// flags of a stored block
constexpr std::uint8_t kBlockMini = 1;    // not full: may be merged with its neighbours
constexpr std::uint8_t kBlockSealed = 2;  // both columns are encrypted (AEAD, header as its data)

struct BlockHeader {
  std::uint8_t flags = 0;
  SourceId source;
  std::uint32_t records = 0;
  Epoch epoch{};
  BlockNumber number;
  Sequence first_sequence;
  WallTime first_time, last_time;
  std::uint32_t body_raw = 0, body_stored = 0;
  std::uint32_t index_raw = 0, index_stored = 0;
  std::uint32_t dictionary = 0;  // 0: none (reserved)
  std::uint64_t key = 0;         // the data key's id, 0: not encrypted
  std::array<std::uint8_t, 12> nonce{};
  std::array<std::uint8_t, 16> check{};  // AEAD tag, or the CRC-32C of the stored columns and 0s
  std::vector<Extent> extents;

  bool mini() const { return (flags & kBlockMini) != 0; }
  Sequence end_sequence() const { return first_sequence + records; }  // one past the last
};

struct DecodedBlock {
  BlockHeader header;
  std::string bodies;
  std::string index;
};

// Iterates the records of a block, in order. Borrows the block. A malformed index ends it with
// ok() false; it never reads outside the columns.
class RecordReader {
 public:
  explicit RecordReader(const DecodedBlock& block);
  bool next(Record& record);
  bool ok() const { return ok_; }

 private:
  const DecodedBlock& block_;
  std::string_view index_, bodies_;
  std::size_t extent_ = 0;
  std::uint32_t done_ = 0, done_in_extent_ = 0;
  std::uint64_t offset_ = 0;
  std::int64_t time_ = 0;
  bool ok_ = true;
};

}  // namespace edgehose
