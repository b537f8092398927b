// Lanes, claims, replays and dead letters.
#include "buffer/keyspace_values.h"

namespace edgehose::keyspace {

namespace {
constexpr std::uint8_t kTruncated = 1;
constexpr std::uint8_t kPartial = 2;

// What a claim and a replay have in common: the records and the object.
void put_batch(std::string& out, const Claim& c) {
  put_varint(out, c.first.value);
  put_varint(out, c.last.value);
  put_counter(out, c.size);
  put_le(out, c.first_time.value);
  put_string(out, c.key);
  put_string(out, c.rendering);
}
void get_batch(ByteReader& in, Claim& c) {
  c.first = Sequence(in.varint());
  c.last = Sequence(in.varint());
  c.size = get_counter(in);
  c.first_time = get_time(in);
  c.key = in.string();
  c.rendering = in.string();
}

void put_upload(std::string& out, const PartialUpload& upload) {
  put_string(out, upload.id);
  if (!upload) return;
  put_varint(out, upload.part_size);
  put_varint(out, upload.parts.size());
  for (const UploadPart& part : upload.parts) {
    put_string(out, part.tag);
    put_le(out, part.check);
  }
}
PartialUpload get_upload(ByteReader& in) {
  PartialUpload upload;
  upload.id = in.string();
  if (!upload) return upload;
  upload.part_size = in.varint();
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    UploadPart part;
    part.tag = in.string();
    part.check = in.le<std::uint64_t>();
    upload.parts.push_back(std::move(part));
  }
  return upload;
}
}  // namespace

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

std::string encode_claim(const Claim& c, const FormatVersion& format) {
  std::string out;
  put_lane(out, c.lane);
  put_position(out, c.begin);
  put_position(out, c.end);
  put_batch(out, c);
  put_le(out, static_cast<std::uint8_t>(c.done));
  if (format.allows(Feature::kUploads)) put_upload(out, c.upload);
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
  get_batch(in, c);
  c.done = in.le<std::uint8_t>() != 0;
  if (!in.at_end()) c.upload = get_upload(in);  // else of format 1.0 or 1.1
  return finish(in, std::move(c), "claim");
}

std::string replay_key(ClaimId id) { return numbered(kReplayPrefix, id.value); }

std::string encode_replay(const Claim& c) {
  std::string out;
  put_lane(out, c.lane);
  put_batch(out, c);
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
  get_batch(in, c);
  const std::uint64_t count = in.varint();
  if (count == 0 || count > kReplayRecords) return bad("replay");
  std::uint64_t letter = 0;
  for (std::uint64_t i = 0; i < count; ++i)
    c.letters.push_back(letter += static_cast<std::uint64_t>(unzigzag(in.varint())));
  return finish(in, std::move(c), "replay");
}

std::string dead_letter_key(std::uint64_t id) { return numbered(kDeadLetterPrefix, id); }

std::optional<std::uint64_t> parse_dead_letter_key(std::string_view key) {
  return number_after<std::uint64_t>(kDeadLetterPrefix, key);
}

std::string encode_dead_letter(const DeadLetter& d, const FormatVersion& format) {
  std::string out;
  put_lane(out, d.lane);
  put_varint(out, d.sequence.value);
  put_le(out, d.time.value);
  put_le(out, d.given_up.value);
  put_varint(out, d.attempts);
  put_string(out, d.reason);
  put_string(out, d.body);
  if (!format.allows(Feature::kLetterOrigin)) return out;
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
