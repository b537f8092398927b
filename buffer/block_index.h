// The index column's grammar, one entry for each record:
//
//   entry      = length time flags [source] [attributes]
//   length     = varint, the body's bytes with its LF
//   time       = zigzag varint, nanoseconds since the record before; since the header's first time
//                for the first, so 0 there
//   flags      = u8 of the bits below
//   source     = varint, the record's bytes in its file, where they are not `length`
//   attributes = varint count, and for each: varint length, name, varint length, value
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/block.h"
#include "buffer/record.h"

namespace edgehose {

constexpr std::uint8_t kRecordTruncated = 1;
constexpr std::uint8_t kRecordPartial = 2;
constexpr std::uint8_t kRecordAttributes = 4;
constexpr std::uint8_t kRecordSourceLength = 8;

struct IndexEntry {
  std::uint64_t length = 0;
  std::int64_t time_delta = 0;
  std::uint8_t flags = 0;
  std::uint64_t source_length = 0;
};

void put_attributes(const std::vector<Attribute>& attributes, std::string& index);

// Takes an entry off the front of `index`; its attributes borrow from it. False: malformed.
bool read_entry(std::string_view& index, IndexEntry& entry, std::vector<Attribute>& attributes);

// Appends `next`, the following records of the same source, to `block`. False: a malformed index,
// or more extents than a block may have; `block` is unchanged then.
bool concatenate(RawBlock& block, const RawBlock& next);

}  // namespace edgehose
