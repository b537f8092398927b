#include "buffer/block_index.h"

#include "agent/base/bytes.h"

namespace edgehose {
namespace {

// A varint off the front; the one-byte case, most of them, is the short way.
bool take_varint(const char*& at, const char* end, std::uint64_t& value) {
  if (at == end) return false;
  auto byte = static_cast<unsigned char>(*at++);
  value = byte & 0x7Fu;
  for (unsigned shift = 7; byte >= 0x80; shift += 7) {
    if (at == end || shift > 63) return false;
    byte = static_cast<unsigned char>(*at++);
    if (shift == 63 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
  }
  return true;
}

bool take_attributes(std::string_view& index, std::vector<Attribute>& attributes) {
  ByteReader in(index);
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = in.string();
    const std::string_view value = in.string();
    if (in.ok()) attributes.push_back({name, value});
  }
  index = in.rest();
  return in.ok();
}

}  // namespace

void put_attributes(const std::vector<Attribute>& attributes, std::string& index) {
  put_varint(index, attributes.size());
  for (const Attribute& a : attributes) {
    put_string(index, a.name);
    put_string(index, a.value);
  }
}

bool read_entry(std::string_view& index, IndexEntry& entry, std::vector<Attribute>& attributes) {
  const char* at = index.data();
  const char* const end = at + index.size();
  std::uint64_t delta = 0;
  attributes.clear();
  if (!take_varint(at, end, entry.length) || !take_varint(at, end, delta) || at == end)
    return false;
  entry.time_delta = unzigzag(delta);
  entry.flags = static_cast<std::uint8_t>(*at++);
  if ((entry.flags & kRecordSourceLength) && !take_varint(at, end, entry.source_length))
    return false;
  index.remove_prefix(static_cast<std::size_t>(at - index.data()));
  return !(entry.flags & kRecordAttributes) || take_attributes(index, attributes);
}

bool concatenate(RawBlock& block, const RawBlock& next) {
  if (block.extents.size() + next.extents.size() > kBlockMaxExtents) return false;
  // The first entry's time counts from its own block's first time; from here on, from our last.
  ByteReader first(next.index);
  const std::uint64_t length = first.varint();
  const std::int64_t delta = unzigzag(first.varint());
  if (!first.ok()) return false;
  put_varint(block.index, length);
  put_varint(block.index, zigzag(next.first_time.value + delta - block.last_time.value));
  block.index.append(first.rest());

  block.bodies.append(next.bodies);
  block.records += next.records;
  block.last_time = next.last_time;
  auto extent = next.extents.begin();
  if (extent != next.extents.end() && !block.extents.empty()) {
    Extent& last = block.extents.back();
    if (last.file == extent->file && last.end == extent->begin) {
      last.records += extent->records;
      last.end = extent->end;
      ++extent;
    }
  }
  block.extents.insert(block.extents.end(), extent, next.extents.end());
  return true;
}

}  // namespace edgehose
