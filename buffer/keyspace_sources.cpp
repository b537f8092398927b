// Files, sources and sinks.
#include "buffer/keyspace_values.h"

namespace edgehose::keyspace {

namespace {
constexpr std::uint8_t kCrcKnown = 1;
constexpr std::uint8_t kFinished = 2;
}  // namespace

std::string file_key(FileId id) { return numbered(kFilePrefix, id.value); }

std::optional<FileId> parse_file_key(std::string_view key) {
  const auto id = number_after<std::uint32_t>(kFilePrefix, key);
  if (!id) return {};
  return FileId(*id);
}

std::string encode_file(const FileState& f, const FormatVersion& format) {
  std::string out;
  put_string(out, f.path);
  put_le(out, f.identity.filesystem);
  put_varint(out, f.identity.inode);
  put_le(out, f.identity.birth_ns);
  put_varint(out, f.identity.prefix_length);
  put_bytes(out, f.identity.prefix_hash);
  put_varint(out, f.offset);
  put_le(out, f.crc);
  put_le(out,
         static_cast<std::uint8_t>((f.crc_known ? kCrcKnown : 0) | (f.finished ? kFinished : 0)));
  put_le(out, f.seen.value);
  put_string(out, f.note);
  if (!format.allows(Feature::kHeld)) return out;
  put_varint(out, f.held.source.value);
  put_varint(out, f.held.block.value);
  put_varint(out, f.held.undelivered_from);
  return out;
}

Result<FileState> decode_file(std::string_view value) {
  ByteReader in(value);
  FileState f;
  f.path = in.string();
  f.identity.filesystem = in.le<std::uint64_t>();
  f.identity.inode = in.varint();
  f.identity.birth_ns = in.le<std::int64_t>();
  f.identity.prefix_length = static_cast<std::uint32_t>(in.varint());
  get_bytes(in, f.identity.prefix_hash);
  f.offset = in.varint();
  f.crc = in.le<std::uint32_t>();
  const auto flags = in.le<std::uint8_t>();
  f.crc_known = (flags & kCrcKnown) != 0;
  f.finished = (flags & kFinished) != 0;
  f.seen = get_time(in);
  f.note = in.string();
  if (in.ok() && !in.at_end()) {
    f.held.known = true;
    f.held.source = SourceId(static_cast<std::uint32_t>(in.varint()));
    f.held.block = BlockNumber(in.varint());
    f.held.undelivered_from = in.varint();
  }
  return finish(in, std::move(f), "file position");
}

std::string source_key(SourceId id) { return numbered(kSourcePrefix, id.value); }

std::string encode_source(const SourceState& s, const FormatVersion& format) {
  std::string out;
  put_string(out, s.name);
  put_varint(out, s.next_sequence.value);
  put_counter(out, s.committed);
  put_counter(out, s.not_taken);
  put_varint(out, s.minis.size());
  std::uint64_t before = 0;  // ascending: differences are short
  for (const BlockNumber mini : s.minis) {
    put_varint(out, mini.value - before);
    before = mini.value;
  }
  if (format.allows(Feature::kSourceLosses)) {
    put_varint(out, s.losses.truncated_records);
    put_varint(out, s.losses.lost_bytes);
  }
  return checksummed(source_key(s.id), out);
}

Result<SourceState> decode_source(std::string_view key, std::string_view value) {
  const auto id = number_after<std::uint32_t>(kSourcePrefix, key);
  if (!id) return bad("source");
  EH_ASSIGN(const std::string_view body, checked(key, value, "source"));
  ByteReader in(body);
  SourceState s;
  s.id = SourceId(*id);
  s.name = in.string();
  s.next_sequence = Sequence(in.varint());
  s.committed = get_counter(in);
  s.not_taken = get_counter(in);
  const std::uint64_t minis = in.varint();
  if (minis > kMaxMinis) return bad("source");
  std::uint64_t number = 0;
  for (std::uint64_t i = 0; i < minis; ++i) s.minis.push_back(BlockNumber(number += in.varint()));
  if (!in.at_end()) {
    s.losses.truncated_records = in.varint();
    s.losses.lost_bytes = in.varint();
  }
  return finish(in, std::move(s), "source");
}

namespace {
void put_wire_bytes(std::string& out, const WireBytes& bytes) {
  put_varint(out, bytes.sent);
  put_varint(out, bytes.received);
}
WireBytes get_wire_bytes(ByteReader& in) {
  const std::uint64_t sent = in.varint();
  return {sent, in.varint()};
}
// In the order of the format.
template <class Traffic>
auto slots_of(Traffic& traffic) {
  return std::array{&traffic.day.now, &traffic.day.other, &traffic.month.now, &traffic.month.other};
}
}  // namespace

std::string sink_key(SinkId id) { return numbered(kSinkPrefix, id.value); }

std::string encode_sink(const SinkState& sink, const FormatVersion& format) {
  std::string out;
  put_string(out, sink.name);
  put_string(out, sink.note);
  if (format.allows(Feature::kTraffic) && sink.traffic != SinkTraffic{}) {
    put_wire_bytes(out, sink.traffic.ever);
    for (const TrafficSlot* slot : slots_of(sink.traffic)) {
      put_varint(out, slot->label);
      put_wire_bytes(out, slot->bytes);
    }
  }
  return checksummed(sink_key(sink.id), out);
}

Result<SinkState> decode_sink(std::string_view key, std::string_view value) {
  const auto id = number_after<std::uint32_t>(kSinkPrefix, key);
  if (!id) return bad("sink");
  EH_ASSIGN(const std::string_view body, checked(key, value, "sink"));
  ByteReader in(body);
  SinkState sink;
  sink.id = SinkId(*id);
  sink.name = in.string();
  sink.note = in.string();
  if (!in.at_end()) {
    sink.traffic.ever = get_wire_bytes(in);
    for (TrafficSlot* slot : slots_of(sink.traffic)) {
      slot->label = static_cast<std::uint32_t>(in.varint());
      slot->bytes = get_wire_bytes(in);
    }
  }
  return finish(in, std::move(sink), "sink");
}

}  // namespace edgehose::keyspace
