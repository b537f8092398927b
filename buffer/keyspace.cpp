#include "buffer/keyspace.h"

#include <algorithm>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"

namespace edgehose::keyspace {
namespace {

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

tl::unexpected<Error> bad(std::string_view what) {
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

std::string checksummed(std::string_view key, std::string_view body) {
  std::string out;
  put_le(out, crc32c(crc32c(0, key), body));
  return out.append(body);
}

// The body behind a checksum that fits.
Result<std::string_view> checked(std::string_view key, std::string_view value,
                                 std::string_view what) {
  ByteReader in(value);
  const auto crc = in.le<std::uint32_t>();
  if (!in.ok() || crc != crc32c(crc32c(0, key), in.rest())) return bad(what);
  return in.rest();
}

void put_counter(std::string& out, const Counter& c) {
  put_varint(out, c.records);
  put_varint(out, c.bytes);
}
Counter get_counter(ByteReader& in) {
  Counter c;
  c.records = in.varint();
  c.bytes = in.varint();
  return c;
}

void put_position(std::string& out, const Position& p) {
  put_varint(out, p.block.value);
  put_varint(out, p.record);
}
Position get_position(ByteReader& in) {
  Position p;
  p.block = BlockNumber(in.varint());
  p.record = static_cast<std::uint32_t>(in.varint());
  return p;
}

void put_lane(std::string& out, const LaneKey& lane) {
  put_varint(out, lane.sink.value);
  put_varint(out, lane.source.value);
}
LaneKey get_lane(ByteReader& in) {
  LaneKey lane;
  lane.sink = SinkId(static_cast<std::uint32_t>(in.varint()));
  lane.source = SourceId(static_cast<std::uint32_t>(in.varint()));
  return lane;
}

template <std::size_t N>
void put_bytes(std::string& out, const std::array<std::uint8_t, N>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), N);
}
template <std::size_t N>
void get_bytes(ByteReader& in, std::array<std::uint8_t, N>& bytes) {
  std::ranges::copy(in.take(N), reinterpret_cast<char*>(bytes.data()));
}

WallTime get_time(ByteReader& in) { return WallTime(in.le<std::int64_t>()); }

constexpr std::uint8_t kCrcKnown = 1;
constexpr std::uint8_t kFinished = 2;
constexpr std::uint8_t kTruncated = 1;
constexpr std::uint8_t kPartial = 2;

}  // namespace

std::string format_key() { return std::string("\0\0", 2); }

std::string encode_format(const FormatVersion& format) {
  std::string out;
  put_le(out, format.major);
  put_le(out, format.minor);
  put_le(out, format.min_reader);
  return checksummed(format_key(), out);
}

Result<FormatVersion> decode_format(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(format_key(), value, "format version"));
  ByteReader in(body);
  FormatVersion f;
  f.major = in.le<std::uint16_t>();
  f.minor = in.le<std::uint16_t>();
  f.min_reader = in.le<std::uint16_t>();
  return finish(in, f, "format version");
}

Status check_format(const FormatVersion& format, std::string_view path) {
  if (format.min_reader <= kSupport) return {};
  return fail(ErrorCode::kUnsupported,
              "{} has format {}.{} of a later release and this one reads up to {}.{}: install that "
              "release again, or let it deliver everything ('edgehose run --once') and start with "
              "an empty data_dir; nothing was changed",
              path, format.major, format.minor, kFormat.major, kFormat.minor);
}

std::string epoch_key() { return std::string("\0\1", 2); }

std::string encode_epoch(const Epoch& epoch) {
  std::string out;
  put_bytes(out, epoch);
  return checksummed(epoch_key(), out);
}

Result<Epoch> decode_epoch(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(epoch_key(), value, "epoch"));
  ByteReader in(body);
  Epoch epoch{};
  get_bytes(in, epoch);
  return finish(in, epoch, "epoch");
}

std::string machine_key() { return std::string("\0\3", 2); }

std::string encode_machine(const Machine& machine) {
  std::string out;
  for (const auto& [part, hash] : machine) {
    put_le(out, static_cast<std::uint8_t>(part));
    put_bytes(out, hash);
  }
  return checksummed(machine_key(), out);
}

Result<Machine> decode_machine(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(machine_key(), value, "machine fingerprint"));
  Machine machine;
  constexpr std::size_t kPart = 1 + sizeof(Machine::mapped_type);
  ByteReader in(body);
  while (in.rest().size() >= kPart) {
    const auto part = static_cast<MachinePart>(in.le<std::uint8_t>());
    get_bytes(in, machine[part]);
  }
  return finish(in, machine, "machine fingerprint");
}

std::string salvage_key() { return std::string("\0\4", 2); }

std::string encode_salvage(const SalvageState& salvage) {
  std::string out;
  put_varint(out, salvage.salvaged_records);
  put_varint(out, salvage.lost_records);
  put_varint(out, salvage.archives.size());
  for (const ArchiveState& archive : salvage.archives) {
    put_varint(out, archive.id);
    put_varint(out, archive.blocks);
    put_varint(out, archive.bytes);
  }
  return checksummed(salvage_key(), out);
}

Result<SalvageState> decode_salvage(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(salvage_key(), value, "list of salvaged files"));
  ByteReader in(body);
  SalvageState salvage;
  salvage.salvaged_records = in.varint();
  salvage.lost_records = in.varint();
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    ArchiveState archive;
    archive.id = static_cast<std::uint32_t>(in.varint());
    archive.blocks = in.varint();
    archive.bytes = in.varint();
    salvage.archives.push_back(archive);
  }
  return finish(in, std::move(salvage), "list of salvaged files");
}

std::string data_key_key(std::uint64_t id) { return numbered(kDataKeyPrefix, id); }

std::string block_key(BlockNumber number, SourceId source) {
  std::string key = block_key(number);
  put_be(key, source.value);
  return key;
}

std::string block_key(BlockNumber from) { return numbered(kBlockPrefix, from.value); }

std::optional<BlockKey> parse_block_key(std::string_view key) {
  if (!key.starts_with(kBlockPrefix) || key.size() != kBlockPrefix.size() + 12) return {};
  ByteReader in(key.substr(kBlockPrefix.size()));
  BlockKey parsed;
  parsed.number = BlockNumber(in.be<std::uint64_t>());
  parsed.source = SourceId(in.be<std::uint32_t>());
  return parsed;
}

std::string file_key(FileId id) { return numbered(kFilePrefix, id.value); }

std::optional<FileId> parse_file_key(std::string_view key) {
  const auto id = number_after<std::uint32_t>(kFilePrefix, key);
  if (!id) return {};
  return FileId(*id);
}

std::string encode_file(const FileState& f) {
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

std::string encode_source(const SourceState& s) {
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
  put_varint(out, s.losses.truncated_records);
  put_varint(out, s.losses.lost_bytes);
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

std::string sink_key(SinkId id) { return numbered(kSinkPrefix, id.value); }

std::string encode_sink(const SinkState& sink) {
  std::string out;
  put_string(out, sink.name);
  put_string(out, sink.note);
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
  return finish(in, std::move(sink), "sink");
}

std::string lane_key(LaneKey lane) {
  std::string key = numbered(kLanePrefix, lane.sink.value);
  put_be(key, lane.source.value);
  return key;
}

std::string encode_lane(const LaneState& lane) {
  std::string out;
  put_position(out, lane.cursor);
  put_counter(out, lane.committed);
  put_counter(out, lane.delivered);
  put_counter(out, lane.dead_lettered);
  put_varint(out, lane.dropped.size());
  for (const Counter& dropped : lane.dropped) put_counter(out, dropped);
  put_varint(out, lane.possible_duplicates);
  put_le(out, lane.last_delivery.value);
  return checksummed(lane_key(lane.key), out);
}

Result<LaneState> decode_lane(std::string_view key, std::string_view value) {
  const auto id = number_after<std::uint64_t>(kLanePrefix, key);
  if (!id) return bad("lane");
  EH_ASSIGN(const std::string_view body, checked(key, value, "lane"));
  ByteReader in(body);
  LaneState lane;
  lane.key = {SinkId(static_cast<std::uint32_t>(*id >> 32)),
              SourceId(static_cast<std::uint32_t>(*id))};
  lane.cursor = get_position(in);
  lane.committed = get_counter(in);
  lane.delivered = get_counter(in);
  lane.dead_lettered = get_counter(in);
  const std::uint64_t reasons = in.varint();
  for (std::size_t i = 0; i < reasons && in.ok(); ++i) {
    const Counter dropped = get_counter(in);
    // A reason of a later minor version still counts: the equation must hold.
    lane.dropped[std::min(i, lane.dropped.size() - 1)] += dropped;
  }
  lane.possible_duplicates = in.varint();
  lane.last_delivery = get_time(in);
  return finish(in, lane, "lane");
}

std::string claim_key(ClaimId id) { return numbered(kClaimPrefix, id.value); }

std::string encode_claim(const Claim& c) {
  std::string out;
  put_lane(out, c.lane);
  put_position(out, c.begin);
  put_position(out, c.end);
  put_varint(out, c.first.value);
  put_varint(out, c.last.value);
  put_counter(out, c.size);
  put_le(out, c.first_time.value);
  put_string(out, c.key);
  put_string(out, c.rendering);
  put_le(out, static_cast<std::uint8_t>(c.done));
  return out;
}

Result<Claim> decode_claim(std::string_view key, std::string_view value) {
  const auto id = number_after<std::uint64_t>(kClaimPrefix, key);
  if (!id) return bad("claim");
  ByteReader in(value);
  Claim c;
  c.id = ClaimId(*id);
  c.lane = get_lane(in);
  c.begin = get_position(in);
  c.end = get_position(in);
  c.first = Sequence(in.varint());
  c.last = Sequence(in.varint());
  c.size = get_counter(in);
  c.first_time = get_time(in);
  c.key = in.string();
  c.rendering = in.string();
  c.done = in.le<std::uint8_t>() != 0;
  return finish(in, std::move(c), "claim");
}

std::string replay_key(ClaimId id) { return numbered(kReplayPrefix, id.value); }

std::string encode_replay(const Claim& c) {
  std::string out;
  put_lane(out, c.lane);
  put_varint(out, c.first.value);
  put_varint(out, c.last.value);
  put_counter(out, c.size);
  put_le(out, c.first_time.value);
  put_string(out, c.key);
  put_string(out, c.rendering);
  put_varint(out, c.letters.size());
  std::uint64_t before = 0;  // neighbours mostly: differences are short
  for (const std::uint64_t id : c.letters) {
    put_varint(out, zigzag(static_cast<std::int64_t>(id - before)));
    before = id;
  }
  return out;
}

Result<Claim> decode_replay(std::string_view key, std::string_view value) {
  const auto id = number_after<std::uint64_t>(kReplayPrefix, key);
  if (!id) return bad("replay");
  ByteReader in(value);
  Claim c;
  c.id = ClaimId(*id);
  c.lane = get_lane(in);
  c.first = Sequence(in.varint());
  c.last = Sequence(in.varint());
  c.size = get_counter(in);
  c.first_time = get_time(in);
  c.key = in.string();
  c.rendering = in.string();
  const std::uint64_t count = in.varint();
  if (count == 0 || count > kReplayRecords) return bad("replay");
  std::uint64_t letter = 0;
  for (std::uint64_t i = 0; i < count; ++i)
    c.letters.push_back(letter += static_cast<std::uint64_t>(unzigzag(in.varint())));
  return finish(in, std::move(c), "replay");
}

std::string counters_key() {
  return "\x20"
         "N";
}

std::string encode_counters(const Counters& c) {
  std::string out;
  put_varint(out, c.next_block.value);
  put_varint(out, c.next_claim.value);
  put_varint(out, c.next_dead_letter);
  put_varint(out, c.next_source.value);
  put_varint(out, c.next_sink.value);
  put_varint(out, c.next_file.value);
  return checksummed(counters_key(), out);
}

Result<Counters> decode_counters(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(counters_key(), value, "counters"));
  ByteReader in(body);
  Counters c;
  c.next_block = BlockNumber(in.varint());
  c.next_claim = ClaimId(in.varint());
  c.next_dead_letter = in.varint();
  c.next_source = SourceId(static_cast<std::uint32_t>(in.varint()));
  c.next_sink = SinkId(static_cast<std::uint32_t>(in.varint()));
  c.next_file = FileId(static_cast<std::uint32_t>(in.varint()));
  return finish(in, c, "counters");
}

std::string clean_mark_key() {
  return "\x20"
         "M";
}

std::string encode_clean_mark(BlockNumber last) {
  std::string out;
  put_varint(out, last.value);
  return checksummed(clean_mark_key(), out);
}

Result<BlockNumber> decode_clean_mark(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(clean_mark_key(), value, "clean mark"));
  ByteReader in(body);
  const BlockNumber last(in.varint());
  return finish(in, last, "clean mark");
}

std::string dead_letter_key(std::uint64_t id) { return numbered(kDeadLetterPrefix, id); }

std::optional<std::uint64_t> parse_dead_letter_key(std::string_view key) {
  return number_after<std::uint64_t>(kDeadLetterPrefix, key);
}

std::string encode_dead_letter(const DeadLetter& d) {
  std::string out;
  put_lane(out, d.lane);
  put_varint(out, d.sequence.value);
  put_le(out, d.time.value);
  put_le(out, d.given_up.value);
  put_varint(out, d.attempts);
  put_string(out, d.reason);
  put_string(out, d.body);
  put_varint(out, d.file.value);
  put_varint(out, d.begin);
  put_le(out,
         static_cast<std::uint8_t>((d.truncated ? kTruncated : 0) | (d.partial ? kPartial : 0)));
  put_varint(out, d.attributes.size());
  for (const auto& [name, text] : d.attributes) {
    put_string(out, name);
    put_string(out, text);
  }
  return out;
}

Result<DeadLetter> decode_dead_letter(std::string_view key, std::string_view value) {
  const auto id = parse_dead_letter_key(key);
  if (!id) return bad("dead letter");
  ByteReader in(value);
  DeadLetter d;
  d.id = *id;
  d.lane = get_lane(in);
  d.sequence = Sequence(in.varint());
  d.time = get_time(in);
  d.given_up = get_time(in);
  d.attempts = static_cast<std::uint32_t>(in.varint());
  d.reason = in.string();
  d.body = in.string();
  if (in.at_end()) return finish(in, std::move(d), "dead letter");  // of format 1.0
  d.file = FileId(static_cast<std::uint32_t>(in.varint()));
  d.begin = in.varint();
  const auto flags = in.le<std::uint8_t>();
  d.truncated = (flags & kTruncated) != 0;
  d.partial = (flags & kPartial) != 0;
  const std::uint64_t attributes = in.varint();
  for (std::uint64_t i = 0; i < attributes && in.ok(); ++i) {
    const std::string_view name = in.string();
    d.attributes.emplace_back(name, in.string());
  }
  return finish(in, std::move(d), "dead letter");
}

}  // namespace edgehose::keyspace
