#include "buffer/keyspace.h"

#include <gtest/gtest.h>

#include <functional>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "agent/base/text.h"

namespace edgehose::keyspace {
namespace {

constexpr Counter kTwo{2, 300};
constexpr std::string_view kTwoHex = "02ac02";

TEST(Keyspace, KeysHaveTheirGoldenBytesAndOrder) {
  EXPECT_EQ(to_hex(format_key()), "0000");
  EXPECT_EQ(to_hex(epoch_key()), "0001");
  EXPECT_EQ(to_hex(machine_key()), "0003");
  EXPECT_EQ(to_hex(data_key_key(3)), "00020000000000000003");
  EXPECT_EQ(to_hex(block_key(BlockNumber(258), SourceId(7))), "10000000000000010200000007");
  EXPECT_EQ(to_hex(file_key(FileId(9))), "204600000009");
  EXPECT_EQ(to_hex(source_key(SourceId(1))), "205300000001");
  EXPECT_EQ(to_hex(sink_key(SinkId(2))), "204b00000002");
  EXPECT_EQ(to_hex(lane_key({SinkId(2), SourceId(1)})), "204c0000000200000001");
  EXPECT_EQ(to_hex(claim_key(ClaimId(5))), "20430000000000000005");
  EXPECT_EQ(to_hex(counters_key()), "204e");
  EXPECT_EQ(to_hex(clean_mark_key()), "204d");
  EXPECT_EQ(to_hex(dead_letter_key(6)), "300000000000000006");
  // Blocks in their order, and everything volatile behind them.
  EXPECT_LT(block_key(BlockNumber(1), SourceId(9)), block_key(BlockNumber(256), SourceId(1)));
  EXPECT_LE(block_key(BlockNumber(256)), block_key(BlockNumber(256), SourceId(0)));
  EXPECT_LT(block_key(BlockNumber(~0ull), SourceId(~0u)), claim_key(ClaimId(0)));
  EXPECT_EQ(parse_block_key(block_key(BlockNumber(258), SourceId(7)))->source, SourceId(7));
  EXPECT_FALSE(parse_block_key(block_key(BlockNumber(258))));
  EXPECT_FALSE(parse_file_key(sink_key(SinkId(1))));
}

TEST(Keyspace, AMachineKeepsThePartsThatALaterReleaseAdds) {
  const Machine machine = {{MachinePart::kMachineId, {1, 2}}, {static_cast<MachinePart>(9), {3}}};
  const std::string value = encode_machine(machine);
  EXPECT_EQ(to_hex(value.substr(4)),
            "01"
            "01020000000000000000000000000000"
            "09"
            "03000000000000000000000000000000");
  EXPECT_EQ(decode_machine(value).value(), machine);
}

TEST(Keyspace, FormatAndCounters) {
  EXPECT_EQ(to_hex(encode_format({1, 2, 3})),
            "8b5298e8"
            "010002000300");
  EXPECT_TRUE(check_format({9, 0, 1}, "x"));  // later, but readable by this release
  SalvageState salvage;
  salvage.salvaged_records = 300;
  salvage.lost_records = 2;
  salvage.archives = {{1, 5, 8192}, {3, 1, 0}};
  const std::string salvaged = encode_salvage(salvage);
  EXPECT_EQ(to_hex(salvaged.substr(4)),
            "ac0202"  // salvaged, lost
            "02"      // archives: id, blocks, bytes
            "01058040"
            "030100");
  EXPECT_EQ(*decode_salvage(salvaged), salvage);
  EXPECT_TRUE(check_format({1, 2, 2}, "x"));  // references are followed
  EXPECT_EQ(check_format({9, 0, 3}, "x").error().code, ErrorCode::kUnsupported);
  Counters c;
  c.next_block = BlockNumber(300);
  c.next_file = FileId(7);
  EXPECT_EQ(to_hex(encode_counters(c, kFormat)),
            "05a3b70a"
            "ac02010101010701");
  EXPECT_EQ(*decode_counters(encode_counters(c, kFormat)), c);
  EXPECT_EQ(*decode_counters(*from_hex("2846a5c5ac020101010107")), c) << "of 1.1";
  EXPECT_EQ(to_hex(encode_clean_mark(BlockNumber(300))),
            "5c1c04ed"
            "ac02");
}

TEST(Keyspace, File) {
  FileState f;
  f.path = "/a";
  f.identity = {1, 2, 3, 4, {}};
  f.identity.prefix_hash.fill(0xEE);
  f.offset = 300;
  f.crc = 0x01020304;
  f.finished = true;
  f.seen = WallTime(5);
  f.note = "n";
  f.held = {true, SourceId(2), BlockNumber(300), 128};
  const std::string bytes = encode_file(f, kFormat);
  EXPECT_EQ(to_hex(bytes),
            "022f61"
            "0100000000000000"
            "02"
            "0300000000000000"
            "04"
            "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
            "ac02"
            "04030201"
            "03"
            "0500000000000000"
            "016e"
            "02ac028001");
  const auto back = decode_file(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->identity, f.identity);
  EXPECT_EQ(back->seen, f.seen);
  EXPECT_TRUE(back->crc_known && back->finished);
}

// All of it in one buffer: while a reference is there, older releases stay out; without one they
// read the rest and leave out what they do not know.
TEST(Keyspace, WhatFormat12Added) {
  FormatVersion format = kFormat;
  EXPECT_EQ(to_hex(encode_format(format).substr(4)), "010003000100");
  format.min_reader = kFollowsReferences;
  EXPECT_EQ(to_hex(encode_format(format).substr(4)), "010003000200");
  SalvageState salvage;
  salvage.lost_records = 1;
  salvage.archives = {{1, 2, 4096}};
  EXPECT_EQ(to_hex(encode_salvage(salvage).substr(4)), "00010101028020");
  SourceState source;
  source.id = SourceId(1);
  source.losses = {3, 200};
  const std::string with_losses = encode_source(source, kFormat);
  EXPECT_EQ(to_hex(with_losses.substr(with_losses.size() - 3)), "03c801");
  FileState file;
  file.held = {true, SourceId(1), BlockNumber(2), 300};
  const std::string with_held = encode_file(file, kFormat);
  EXPECT_EQ(to_hex(with_held.substr(with_held.size() - 4)), "0102ac02");
  const auto back = decode_file(with_held);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->held.known);
  EXPECT_EQ(back->held.block, BlockNumber(2));
  EXPECT_EQ(back->held.undelivered_from, 300u);
  const auto of_1_1 = decode_file(std::string_view(with_held).substr(0, with_held.size() - 4));
  ASSERT_TRUE(of_1_1);
  EXPECT_FALSE(of_1_1->held.known);
}

TEST(Keyspace, SourceAndSink) {
  SourceState s;
  s.id = SourceId(1);
  s.name = "app";
  s.next_sequence = Sequence(300);
  s.committed = kTwo;
  s.minis = {BlockNumber(10), BlockNumber(12), BlockNumber(400)};
  s.losses = {5, 300};
  const std::string bytes = encode_source(s, kFormat);
  EXPECT_EQ(to_hex(bytes),
            "204f2d5a"
            "03617070"
            "ac02" +
                std::string(kTwoHex) +
                "0000"
                "030a028403"
                "05ac02");
  const auto back = decode_source(source_key(s.id), bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->minis, s.minis);
  EXPECT_EQ(back->id, s.id);
  EXPECT_EQ(back->losses, s.losses);
  // As format 1.1 wrote it.
  const std::string body = bytes.substr(4, bytes.size() - 7);
  std::string earlier;
  put_le(earlier, crc32c(crc32c(0, source_key(s.id)), body));
  const auto of_1_1 = decode_source(source_key(s.id), earlier + body);
  ASSERT_TRUE(of_1_1);
  EXPECT_EQ(of_1_1->minis, s.minis);
  EXPECT_EQ(of_1_1->losses, SourceLosses{});
  EXPECT_EQ(to_hex(encode_sink({SinkId(1), "out", "id"}, kFormat)),
            "8979f7ed"
            "036f7574"
            "026964");
}

TEST(Keyspace, SinkThatANetworkCarries) {
  SinkState sink{SinkId(1), "out", "id"};
  sink.traffic.ever = {300, 7};
  sink.traffic.day = {{20'000, {200, 5}}, {19'999, {100, 2}}};
  sink.traffic.month = {{657, {300, 7}}, {}};
  const std::string bytes = encode_sink(sink, kFormat);
  EXPECT_EQ(to_hex(bytes.substr(4)),
            "036f7574"
            "026964"
            "ac0207"
            "a09c01c80105"
            "9f9c016402"
            "9105ac0207"
            "000000");
  const auto back = decode_sink(sink_key(sink.id), bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->note, "id");
  EXPECT_EQ(back->traffic, sink.traffic);
  // As format 1.2 wrote it.
  const auto of_1_2 =
      decode_sink(sink_key(sink.id), encode_sink({SinkId(1), "out", "id"}, kFormat));
  ASSERT_TRUE(of_1_2);
  EXPECT_EQ(of_1_2->traffic, SinkTraffic{});
}

TEST(Keyspace, Lane) {
  LaneState lane;
  lane.key = {SinkId(3), SourceId(4)};
  lane.cursor = {BlockNumber(300), 5};
  lane.committed = lane.delivered = kTwo;
  lane.dropped[1] = {1, 2};
  lane.possible_duplicates = 6;
  lane.last_delivery = WallTime(7);
  const std::string bytes = encode_lane(lane);
  EXPECT_EQ(to_hex(bytes),
            "f0d50837"
            "ac0205" +
                std::string(kTwoHex) + std::string(kTwoHex) +
                "0000"
                "03"
                "0000"
                "0102"
                "0000"
                "06"
                "0700000000000000");
  const auto back = decode_lane(lane_key(lane.key), bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, lane.key);
  EXPECT_EQ(back->cursor, lane.cursor);
  EXPECT_EQ(back->dropped, lane.dropped);
}

TEST(Keyspace, ClaimAndDeadLetter) {
  Claim c;
  c.id = ClaimId(5);
  c.lane = {SinkId(1), SourceId(2)};
  c.begin = {BlockNumber(1), 0};
  c.end = {BlockNumber(2), 3};
  c.first = Sequence(4);
  c.last = Sequence(5);
  c.size = kTwo;
  c.first_time = WallTime(6);
  c.key = "k";
  c.rendering = "r";
  const std::string bytes = encode_claim(c, kFormat);
  EXPECT_EQ(to_hex(bytes),
            "0102"
            "0100"
            "0203"
            "04"
            "05" +
                std::string(kTwoHex) +
                "0600000000000000"
                "016b"
                "0172"
                "00"
                "00");
  EXPECT_EQ(decode_claim(claim_key(c.id), bytes)->end, c.end);
  DeadLetter d;
  d.id = 9;
  d.lane = c.lane;
  d.sequence = Sequence(3);
  d.time = WallTime(1);
  d.given_up = WallTime(2);
  d.attempts = 4;
  d.reason = "no";
  d.body = "b";
  EXPECT_EQ(to_hex(encode_dead_letter(d, kFormat)),
            "0102"
            "03"
            "0100000000000000"
            "0200000000000000"
            "04"
            "026e6f"
            "0162"
            "00"
            "00"
            "00"
            "00");
  EXPECT_EQ(decode_dead_letter(dead_letter_key(9), encode_dead_letter(d, kFormat))->body, "b");
}

TEST(Keyspace, AClaimTellsHowFarItsUploadHasCome) {
  Claim c;
  c.id = ClaimId(5);
  c.key = "k";
  const std::string plain = encode_claim(c, kFormat);
  c.upload = {"up", 300, {{"t", 0x0102030405060708}, {"", 9}}};
  const std::string bytes = encode_claim(c, kFormat);
  EXPECT_EQ(to_hex(bytes.substr(plain.size() - 1)),
            "027570"
            "ac02"
            "02"
            "01740807060504030201"
            "000900000000000000");
  EXPECT_EQ(decode_claim(claim_key(c.id), bytes)->upload, c.upload);
  EXPECT_FALSE(decode_claim(claim_key(c.id), plain)->upload);
  // Of format 1.0 or 1.1: nothing behind `done`.
  const auto old = decode_claim(claim_key(c.id), plain.substr(0, plain.size() - 1));
  ASSERT_TRUE(old);
  EXPECT_EQ(old->key, "k");
  EXPECT_FALSE(old->upload);
  EXPECT_FALSE(decode_claim(claim_key(c.id), bytes.substr(0, bytes.size() - 1)));
}

TEST(Keyspace, ADeadLetterTellsWhereItCameFrom) {
  DeadLetter d;
  d.id = 9;
  d.body = "b";
  const std::string first = encode_dead_letter(d, kFormat);
  d.file = FileId(3);
  d.begin = 300;
  d.partial = true;
  d.attributes = {{"unit", "ssh"}};
  const std::string bytes = encode_dead_letter(d, kFormat);
  EXPECT_EQ(to_hex(bytes.substr(first.size() - 4)),
            "03"
            "ac02"
            "02"
            "01"
            "04756e6974"
            "03737368");
  const auto back = decode_dead_letter(dead_letter_key(9), bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->file, d.file);
  EXPECT_EQ(back->begin, 300u);
  EXPECT_TRUE(back->partial);
  EXPECT_FALSE(back->truncated);
  EXPECT_EQ(back->attributes, d.attributes);
  // Of format 1.0: nothing behind the body.
  const auto old = decode_dead_letter(dead_letter_key(9), first.substr(0, first.size() - 4));
  ASSERT_TRUE(old);
  EXPECT_EQ(old->body, "b");
  EXPECT_EQ(old->file, FileId());
}

TEST(Keyspace, Replay) {
  Claim r;
  r.id = ClaimId(5);
  r.lane = {SinkId(1), SourceId(2)};
  r.first = Sequence(3);
  r.last = Sequence(9);
  r.size = {3, 30};
  r.first_time = WallTime(6);
  r.key = "k";
  r.rendering = "r";
  r.letters = {7, 8, 4};  // in the order of their sequences
  EXPECT_EQ(to_hex(replay_key(r.id)),
            "2052"
            "0000000000000005");
  const std::string bytes = encode_replay(r);
  EXPECT_EQ(to_hex(bytes),
            "0102"
            "03"
            "09"
            "031e"
            "0600000000000000"
            "016b"
            "0172"
            "03"
            "0e"
            "02"
            "07");
  const auto back = decode_replay(replay_key(r.id), bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->letters, r.letters);
  EXPECT_EQ(back->key, "k");
  EXPECT_TRUE(back->replay());
  r.letters.clear();
  EXPECT_FALSE(decode_replay(replay_key(r.id), encode_replay(r))) << "one without records";
}

TEST(Keyspace, WhatIsCutShortIsCorrupt) {
  const std::string lane = encode_lane({});
  for (std::size_t n = 0; n < lane.size(); ++n)
    EXPECT_FALSE(decode_lane(lane_key({}), std::string_view(lane).substr(0, n))) << n;
  EXPECT_TRUE(decode_file(encode_file({}, kFormat) + "of a later minor version"));
}

// A value of a later minor version is longer, and its checksum covers all of it.
TEST(Keyspace, ValuesMayGrow) {
  const std::string body = encode_lane({}).substr(4) + "of a later minor version";
  std::string grown;
  put_le(grown, crc32c(crc32c(0, lane_key({})), body));
  grown += body;
  EXPECT_TRUE(decode_lane(lane_key({}), grown));
}

TEST(Keyspace, AFlippedBitIsDamageNotAnotherNumber) {
  const SourceId source(1);
  const LaneKey lane{SinkId(1), source};
  struct Value {
    std::string name, bytes;
    std::function<bool(std::string_view)> reads;
  };
  const std::vector<Value> values = {
      {"format", encode_format(kFormat), [](auto v) { return decode_format(v).has_value(); }},
      {"epoch", encode_epoch({7}), [](auto v) { return decode_epoch(v).has_value(); }},
      {"machine", encode_machine({{MachinePart::kMachineId, {7}}}),
       [](auto v) { return decode_machine(v).has_value(); }},
      {"counters", encode_counters({}, kFormat),
       [](auto v) { return decode_counters(v).has_value(); }},
      {"clean mark", encode_clean_mark(BlockNumber(9)),
       [](auto v) { return decode_clean_mark(v).has_value(); }},
      {"source", encode_source({source, "app", Sequence(9), kTwo, {}, {}, {}}, kFormat),
       [&](auto v) { return decode_source(source_key(source), v).has_value(); }},
      {"sink", encode_sink({SinkId(1), "out", "id"}, kFormat),
       [](auto v) { return decode_sink(sink_key(SinkId(1)), v).has_value(); }},
      {"lane",
       encode_lane({.key = lane,
                    .cursor = {BlockNumber(3), 4},
                    .committed = kTwo,
                    .delivered = {},
                    .dead_lettered = {},
                    .last_delivery = {}}),
       [&](auto v) { return decode_lane(lane_key(lane), v).has_value(); }}};
  for (const Value& value : values) {
    EXPECT_TRUE(value.reads(value.bytes)) << value.name;
    for (std::size_t bit = 0; bit < value.bytes.size() * 8; ++bit) {
      std::string bad = value.bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(value.reads(bad)) << value.name << " bit " << bit;
    }
  }
  EXPECT_FALSE(decode_sink(sink_key(SinkId(2)), encode_sink({SinkId(1), "out", "id"}, kFormat)))
      << "under another's key";
}

}  // namespace
}  // namespace edgehose::keyspace
