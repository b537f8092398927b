#include "buffer/block.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/base/bytes.h"
#include "buffer/block_index.h"

namespace edgehose {
namespace {

// Below this a block grows with its content; above, it is likely to fill up and gets its room once.
constexpr std::size_t kReserveFrom = 16 * 1024;

// An index larger than this ends a block of many attributes.
constexpr std::size_t kMaxIndexBytes = 1024 * 1024;

std::size_t attributes_size(const NewRecord& record) {
  std::size_t size = 0;
  for (const Attribute& a : record.attributes) size += a.name.size() + a.value.size() + 10;
  return size;
}

bool continues(const Extent& extent, FileId file, std::uint64_t begin) {
  return extent.file == file && (file.value == 0 || extent.end == begin);
}

char* put_varint(char* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

}  // namespace

bool BlockBuilder::would_overflow(const NewRecord& record) const {
  if (block_.records == 0) return false;
  if (block_.bodies.size() + record.body.size() + 1 > kBlockRawBytes) return true;
  if (block_.extents.size() >= kBlockMaxExtents &&
      !continues(block_.extents.back(), record.file, record.begin))
    return true;
  return block_.index.size() + attributes_size(record) > kMaxIndexBytes;
}

void BlockBuilder::append(const NewRecord& record) {
  if (block_.records == 0) block_.first_time = block_.last_time = record.time;
  reserve_bodies();
  block_.bodies.append(record.body);
  block_.bodies.push_back('\n');

  const std::uint64_t length = record.body.size() + 1;
  const bool positioned = record.file.value != 0;
  const bool differs = positioned && record.end - record.begin != length;
  const auto flags = static_cast<std::uint8_t>(
      (record.truncated ? kRecordTruncated : 0) | (record.partial ? kRecordPartial : 0) |
      (record.attributes.empty() ? 0 : kRecordAttributes) | (differs ? kRecordSourceLength : 0));
  char entry[32];  // three varints of at most 10 bytes and the flags
  char* end = put_varint(entry, length);
  end = put_varint(end, zigzag(record.time.value - block_.last_time.value));
  *end++ = static_cast<char>(flags);
  if (differs) end = put_varint(end, record.end - record.begin);
  block_.index.append(entry, static_cast<std::size_t>(end - entry));
  if (flags & kRecordAttributes) put_attributes(record.attributes, block_.index);

  block_.last_time = record.time;
  ++block_.records;
  if (positioned)
    extend(record.file, 1, record.begin, record.end);
  else
    extend(record.file, 1, 0, 0);
}

TakenLines BlockBuilder::append_lines(const NewLines& lines) {
  const bool new_extent =
      block_.extents.empty() || !continues(block_.extents.back(), lines.file, lines.begin);
  if (block_.bodies.size() >= kBlockRawBytes || block_.index.size() > kMaxIndexBytes ||
      (new_extent && block_.extents.size() >= kBlockMaxExtents))
    return {};
  const char* const begin = lines.bytes.data();
  const char* const end =
      begin + std::min(lines.bytes.size(), kBlockRawBytes - block_.bodies.size());
  if (block_.records == 0) block_.first_time = block_.last_time = lines.time;
  std::uint64_t time = zigzag(lines.time.value - block_.last_time.value);

  TakenLines taken;
  char entries[4096];  // of many lines, before they go into the index
  constexpr std::size_t kLongestEntry = 21;
  char* entry = entries;
  const char* at = begin;
  while (const auto* lf =
             static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) {
    const auto length = static_cast<std::uint64_t>(lf + 1 - at);
    if (length - 1 > lines.longest) break;
    entry = put_varint(put_varint(entry, length), time);
    *entry++ = 0;  // no flags
    time = 0;
    at = lf + 1;
    ++taken.records;
    if (entry + kLongestEntry <= entries + sizeof entries) continue;
    block_.index.append(entries, static_cast<std::size_t>(entry - entries));
    entry = entries;
  }
  if (taken.records == 0) return {};
  block_.index.append(entries, static_cast<std::size_t>(entry - entries));
  taken.bytes = static_cast<std::size_t>(at - begin);
  reserve_bodies();
  block_.bodies.append(begin, taken.bytes);
  block_.last_time = lines.time;
  block_.records += taken.records;
  extend(lines.file, taken.records, lines.begin, lines.begin + taken.bytes);
  return taken;
}

void BlockBuilder::reserve_bodies() {
  std::string& bodies = block_.bodies;
  if (bodies.size() >= kReserveFrom && bodies.capacity() < kBlockRawBytes)
    bodies.reserve(kBlockRawBytes);
}

void BlockBuilder::extend(FileId file, std::uint32_t records, std::uint64_t begin,
                          std::uint64_t end) {
  if (block_.extents.empty() || !continues(block_.extents.back(), file, begin))
    block_.extents.push_back({file, 0, begin, end});
  block_.extents.back().records += records;
  block_.extents.back().end = end;
}

RawBlock BlockBuilder::take() {
  RawBlock taken;
  taken.source = block_.source;
  std::swap(taken, block_);
  return taken;
}

RecordReader::RecordReader(const DecodedBlock& block)
    : block_(block),
      index_(block.index),
      bodies_(block.bodies),
      time_(block.header.first_time.value) {
  ok_ = !block.header.extents.empty() || block.header.records == 0;
  if (!block.header.extents.empty()) offset_ = block.header.extents.front().begin;
}

bool RecordReader::next(Record& record) {
  const BlockHeader& header = block_.header;
  if (!ok_ || done_ == header.records) return false;
  IndexEntry entry;
  if (!read_entry(index_, entry, record.attributes) || entry.length == 0 ||
      entry.length > bodies_.size() ||
      bodies_[static_cast<std::size_t>(entry.length) - 1] != '\n') {
    ok_ = false;
    return false;
  }
  const auto length = static_cast<std::size_t>(entry.length);  // not more than bodies_ has
  while (done_in_extent_ == header.extents[extent_].records) {
    if (++extent_ == header.extents.size()) return ok_ = false;
    done_in_extent_ = 0;
    offset_ = header.extents[extent_].begin;
  }
  time_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(time_) +
                                    static_cast<std::uint64_t>(entry.time_delta));
  record.sequence = header.first_sequence + done_;
  record.time = WallTime(time_);
  record.body = bodies_.substr(0, length - 1);
  record.file = header.extents[extent_].file;
  record.begin = record.end = 0;
  if (record.file.value != 0) {
    record.begin = offset_;
    offset_ += (entry.flags & kRecordSourceLength) ? entry.source_length : entry.length;
    record.end = offset_;
  }
  record.truncated = (entry.flags & kRecordTruncated) != 0;
  record.partial = (entry.flags & kRecordPartial) != 0;
  bodies_.remove_prefix(length);
  ++done_;
  ++done_in_extent_;
  return true;
}

}  // namespace edgehose
