// What the values of keyspace.h are made of: numbers behind prefixes, checksums, counters,
// positions. Of its implementation only.
//
// Threading: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "buffer/keyspace.h"

namespace edgehose::keyspace {

template <class Id>
std::string numbered(std::string_view prefix, Id id) {
  std::string key(prefix);
  put_be(key, id);
  return key;
}

// The number behind a prefix; none where the key is of another kind or length.
template <class Id>
std::optional<Id> number_after(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix) || key.size() != prefix.size() + sizeof(Id)) return {};
  return ByteReader(key.substr(prefix.size())).be<Id>();
}

inline tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kCorrupt,
              "the buffer's {} cannot be read; stop the agent and run "
              "'edgehose buffer verify'",
              what);
}

// A value that grew in a later minor version has more bytes at its end: they are ignored.
template <class T>
Result<T> finish(const ByteReader& in, T value, std::string_view what) {
  if (!in.ok()) return bad(what);
  return value;
}

inline std::string checksummed(std::string_view key, std::string_view body) {
  std::string out;
  put_le(out, crc32c(crc32c(0, key), body));
  return out.append(body);
}

// The body behind a checksum that fits.
inline Result<std::string_view> checked(std::string_view key, std::string_view value,
                                        std::string_view what) {
  ByteReader in(value);
  const auto crc = in.le<std::uint32_t>();
  if (!in.ok() || crc != crc32c(crc32c(0, key), in.rest())) return bad(what);
  return in.rest();
}

inline void put_counter(std::string& out, const Counter& c) {
  put_varint(out, c.records);
  put_varint(out, c.bytes);
}
inline Counter get_counter(ByteReader& in) {
  Counter c;
  c.records = in.varint();
  c.bytes = in.varint();
  return c;
}

inline void put_position(std::string& out, const Position& p) {
  put_varint(out, p.block.value);
  put_varint(out, p.record);
}
inline Position get_position(ByteReader& in) {
  Position p;
  p.block = BlockNumber(in.varint());
  p.record = static_cast<std::uint32_t>(in.varint());
  return p;
}

inline void put_lane(std::string& out, const LaneKey& lane) {
  put_varint(out, lane.sink.value);
  put_varint(out, lane.source.value);
}
inline LaneKey get_lane(ByteReader& in) {
  LaneKey lane;
  lane.sink = SinkId(static_cast<std::uint32_t>(in.varint()));
  lane.source = SourceId(static_cast<std::uint32_t>(in.varint()));
  return lane;
}

inline WallTime get_time(ByteReader& in) { return WallTime(in.le<std::int64_t>()); }

}  // namespace edgehose::keyspace
