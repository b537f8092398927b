#include "buffer/block.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include "agent/base/text.h"
#include "buffer/block_header.h"
#include "buffer/block_index.h"
#include "buffer/codec.h"

namespace edgehose {
namespace {

NewRecord record(std::string_view body, std::int64_t time, std::uint64_t begin,
                 FileId file = FileId(7)) {
  NewRecord r;
  r.body = body;
  r.time = WallTime(time);
  r.file = file;
  r.begin = begin;
  r.end = begin + body.size() + 1;
  return r;
}

DecodedBlock as_decoded(const RawBlock& raw) {
  DecodedBlock block;
  block.header.source = raw.source;
  block.header.records = raw.records;
  block.header.first_sequence = Sequence(100);
  block.header.first_time = raw.first_time;
  block.header.last_time = raw.last_time;
  block.header.extents = raw.extents;
  block.bodies = raw.bodies;
  block.index = raw.index;
  return block;
}

TEST(Block, GivesBackWhatWasAppended) {
  BlockBuilder builder(SourceId(3));
  builder.append(record("first", 1000, 0));
  NewRecord crlf = record("second", 900, 6);  // the clock went back, and CR LF in the file
  crlf.end += 1;
  crlf.truncated = true;
  crlf.attributes = {{"unit", "sshd.service"}, {"priority", ""}};
  builder.append(crlf);
  builder.append(record("", 2000, 14));
  NewRecord other = record("elsewhere", 2000, 500, FileId(8));
  other.partial = true;
  other.end -= 1;
  builder.append(other);
  builder.append(record("no file", 2001, 99, FileId(0)));

  const RawBlock raw = builder.take();
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(raw.source, SourceId(3));
  EXPECT_EQ(raw.bodies, "first\nsecond\n\nelsewhere\nno file\n");
  EXPECT_EQ(
      raw.extents,
      (std::vector<Extent>{{FileId(7), 3, 0, 15}, {FileId(8), 1, 500, 509}, {FileId(0), 1, 0, 0}}));

  const DecodedBlock block = as_decoded(raw);
  RecordReader reader(block);
  Record r;
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.body, "first");
  EXPECT_EQ(r.sequence, Sequence(100));
  EXPECT_EQ(r.time, WallTime(1000));
  EXPECT_EQ(r.end, 6u);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.body, "second");
  EXPECT_EQ(r.time, WallTime(900));
  EXPECT_EQ(r.begin, 6u);
  EXPECT_EQ(r.end, 14u);
  EXPECT_TRUE(r.truncated);
  ASSERT_EQ(r.attributes.size(), 2u);
  EXPECT_EQ(r.attributes[0].value, "sshd.service");
  EXPECT_EQ(r.attributes[1].name, "priority");
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.body, "");
  EXPECT_TRUE(r.attributes.empty());
  EXPECT_EQ(r.begin, 14u);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.body, "elsewhere");
  EXPECT_TRUE(r.partial);
  EXPECT_EQ(r.file, FileId(8));
  EXPECT_EQ(r.begin, 500u);
  EXPECT_EQ(r.end, 509u);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.body, "no file");
  EXPECT_EQ(r.file, FileId(0));
  EXPECT_EQ(r.end, 0u);
  EXPECT_EQ(r.sequence, Sequence(104));
  EXPECT_FALSE(reader.next(r));
  EXPECT_TRUE(reader.ok());
}

// Line after line through append(); what it does not fit into is the next block.
std::vector<RawBlock> appended_singly(std::string_view lines, std::int64_t time) {
  std::vector<RawBlock> blocks;
  BlockBuilder builder(SourceId(1));
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t lf = lines.find('\n', at);
    const NewRecord r = record(lines.substr(at, lf - at), time, at);
    if (builder.would_overflow(r)) blocks.push_back(builder.take());
    builder.append(r);
    at = lf + 1;
  }
  blocks.push_back(builder.take());
  return blocks;
}

TEST(Block, LinesTakenTogetherMakeTheBlocksThatSingleOnesMake) {
  std::mt19937 random(5);
  std::string lines;
  while (lines.size() < 3 * kBlockRawBytes)
    lines.append(random() % (random() % 50 == 0 ? 3000 : 200), 'x').push_back('\n');
  const std::vector<RawBlock> expected = appended_singly(lines, 5000);

  std::vector<RawBlock> blocks;
  BlockBuilder builder(SourceId(1));
  for (std::size_t at = 0; at < lines.size();) {
    const std::string_view some = std::string_view(lines).substr(at, 1 + random() % 100'000);
    const TakenLines taken = builder.append_lines({some, WallTime(5000), FileId(7), at, 2000});
    at += taken.bytes;
    if (taken.bytes > 0) continue;
    const std::size_t lf = lines.find('\n', at);  // too long, cut off by `some`, or no room
    const NewRecord r = record(std::string_view(lines).substr(at, lf - at), 5000, at);
    if (builder.would_overflow(r)) blocks.push_back(builder.take());
    builder.append(r);
    at = lf + 1;
  }
  blocks.push_back(builder.take());

  ASSERT_EQ(blocks.size(), expected.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].bodies, expected[i].bodies);
    EXPECT_EQ(blocks[i].index, expected[i].index);
    EXPECT_EQ(blocks[i].records, expected[i].records);
    EXPECT_EQ(blocks[i].extents, expected[i].extents);
    EXPECT_EQ(blocks[i].first_time, expected[i].first_time);
    EXPECT_EQ(blocks[i].last_time, expected[i].last_time);
  }
}

TEST(Block, LinesTakenTogetherKeepTheirTimesAndExtents) {
  BlockBuilder together(SourceId(1)), singly(SourceId(1));
  together.append(record("first", 1000, 0));
  EXPECT_EQ(together.append_lines({"\nb\nrest", WallTime(900), FileId(7), 6, 10}).records, 2u);
  EXPECT_EQ(together.append_lines({"c\n", WallTime(950), FileId(8), 40, 10}).bytes, 2u);
  EXPECT_EQ(together.append_lines({"long\n", WallTime(950), FileId(8), 42, 3}).bytes, 0u);
  singly.append(record("first", 1000, 0));
  singly.append(record("", 900, 6));
  singly.append(record("b", 900, 7));
  singly.append(record("c", 950, 40, FileId(8)));
  const RawBlock one = together.take(), other = singly.take();
  EXPECT_EQ(one.bodies, other.bodies);
  EXPECT_EQ(one.index, other.index);
  EXPECT_EQ(one.extents, other.extents);
  EXPECT_EQ(one.last_time, other.last_time);
}

TEST(Block, IsFullBySizeOfBodiesIndexOrExtents) {
  BlockBuilder builder(SourceId(1));
  const std::string giant(kBlockRawBytes * 2, 'x');
  EXPECT_FALSE(builder.would_overflow(record(giant, 1, 0)));  // a block takes at least one record
  builder.append(record("a", 1, 0));
  EXPECT_TRUE(builder.would_overflow(record(giant, 1, 2)));
  const std::string exact(kBlockRawBytes - 3, 'x');
  EXPECT_FALSE(builder.would_overflow(record(exact, 1, 2)));
  const std::string above(kBlockRawBytes - 2, 'x');
  EXPECT_TRUE(builder.would_overflow(record(above, 1, 2)));

  BlockBuilder gaps(SourceId(1));
  for (std::uint64_t i = 0; i < kBlockMaxExtents; ++i) gaps.append(record("a", 1, i * 100));
  EXPECT_TRUE(gaps.would_overflow(record("a", 1, 1)));
  EXPECT_FALSE(gaps.would_overflow(record("a", 1, (kBlockMaxExtents - 1) * 100 + 2)));

  BlockBuilder wide(SourceId(1));
  const std::string value(60'000, 'v');
  NewRecord r = record("a", 1, 0, FileId(0));
  r.attributes = {{"name", value}};
  for (int i = 0; i < 17; ++i) {
    EXPECT_FALSE(wide.would_overflow(r)) << i;
    wide.append(r);
  }
  EXPECT_TRUE(wide.would_overflow(r));
}

TEST(Block, AMalformedIndexEndsTheReader) {
  BlockBuilder builder(SourceId(1));
  for (std::uint64_t i = 0; i < 20; ++i) {
    NewRecord r = record("line", 1000, i * 5);
    r.attributes = {{"k", "v"}};
    builder.append(r);
  }
  const RawBlock raw = builder.take();
  for (std::size_t at = 0; at < raw.index.size(); ++at) {
    DecodedBlock cut = as_decoded(raw);
    cut.index.resize(at);
    RecordReader reader(cut);
    Record r;
    std::size_t records = 0;
    while (reader.next(r)) ++records;
    EXPECT_FALSE(reader.ok()) << at;
    EXPECT_LT(records, 20u);
    for (const int flip : {0x01, 0x80, 0xFF}) {
      DecodedBlock bent = as_decoded(raw);
      bent.index[at] = static_cast<char>(bent.index[at] ^ flip);
      RecordReader bent_reader(bent);
      while (bent_reader.next(r)) {  // no crash and no read outside; sanitizers watch
        ASSERT_LE(r.body.data() + r.body.size(), bent.bodies.data() + bent.bodies.size());
      }
    }
  }
}

TEST(Block, ConcatenationIsTheSameAsOneBuilder) {
  BlockBuilder whole(SourceId(1)), part(SourceId(1));
  RawBlock joined;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const std::string body = "record " + std::to_string(i);
    NewRecord r =
        record(body, static_cast<std::int64_t>(1'000'000 * i), i * 100, FileId(i < 10 ? 1 : 2));
    if (i > 15) r.begin = i * 20, r.end = r.begin + 20;  // contiguous, of another length
    whole.append(r);
    part.append(r);
    if (i % 7 == 6 || i == 29) {
      RawBlock next = part.take();
      if (joined.records == 0) {
        joined = std::move(next);
      } else {
        ASSERT_TRUE(concatenate(joined, next));
      }
    }
  }
  const RawBlock expected = whole.take();
  EXPECT_EQ(joined.bodies, expected.bodies);
  EXPECT_EQ(joined.index, expected.index);
  EXPECT_EQ(joined.extents, expected.extents);
  EXPECT_EQ(joined.records, expected.records);
  EXPECT_EQ(joined.last_time, expected.last_time);
}

RawBlock two_records() {
  BlockBuilder builder(SourceId(2));
  builder.append(record("hello", 1'700'000'000'000'000'000, 10));
  builder.append(record("world", 1'700'000'000'000'001'000, 16));
  return builder.take();
}

BlockHeader numbered() {
  BlockHeader h;
  h.flags = kBlockMini;
  for (std::size_t i = 0; i < h.epoch.size(); ++i) h.epoch[i] = static_cast<std::uint8_t>(i);
  h.number = BlockNumber(5);
  h.first_sequence = Sequence(9);
  return h;
}

TEST(Block, HeaderAndIndexHaveTheirGoldenBytes) {
  const RawBlock raw = two_records();
  EXPECT_EQ(to_hex(raw.index),
            "060000"
            "06d00f00");
  BlockHeader h = numbered();
  h.source = raw.source;
  h.records = raw.records;
  h.first_time = raw.first_time;
  h.last_time = raw.last_time;
  h.extents = raw.extents;
  h.body_raw = 12;
  h.body_stored = 21;
  h.index_raw = 7;
  h.index_stored = 16;
  h.key = 0x0102;
  h.nonce.fill(0xAA);
  h.check.fill(0xBB);
  std::string bytes;
  encode_header(h, bytes);
  ASSERT_EQ(bytes.size(), kBlockHeaderBytes + kExtentBytes);
  EXPECT_EQ(to_hex(bytes.substr(0, 124)),
            "45484231"
            "01"
            "01"
            "0100"
            "98000000"
            "02000000"
            "000102030405060708090a0b0c0d0e0f"
            "0500000000000000"
            "0900000000000000"
            "00002a36fe9c9717"
            "e8032a36fe9c9717"
            "02000000"
            "00000000"
            "0c000000"
            "15000000"
            "07000000"
            "10000000"
            "0201000000000000"
            "aaaaaaaaaaaaaaaaaaaaaaaa"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
  EXPECT_EQ(to_hex(bytes.substr(128)),
            "07000000"
            "02000000"
            "0a00000000000000"
            "1600000000000000");
  const auto decoded = decode_header(bytes + "columns");
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->extents, h.extents);
  EXPECT_EQ(decoded->nonce, h.nonce);
  EXPECT_EQ(decoded->last_time, h.last_time);
  EXPECT_EQ(decoded->key, h.key);
}

TEST(Block, EveryFlippedHeaderByteIsSeen) {
  BlockEncoder encoder(1);
  BlockHeader h = numbered();
  const std::string stored(*encoder.encode(two_records(), h, nullptr));
  for (std::size_t at = 0; at < stored.size(); ++at) {
    std::string bent = stored;
    bent[at] = static_cast<char>(bent[at] ^ 0x10);
    const auto opened = open_block(bent, nullptr);
    ASSERT_FALSE(opened) << at;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt) << at << ": " << opened.error().message;
    EXPECT_FALSE(open_block(std::string_view(stored).substr(0, at), nullptr)) << at;
  }
}

TEST(Codec, RoundTripsAndKeepsItsBuffers) {
  BlockEncoder encoder(1);
  BlockDecoder decoder;
  for (const std::size_t size : {1u, 100u, 5000u, 3'000'000u, 10u}) {
    const std::string body(size, 'y');
    BlockBuilder builder(SourceId(2));
    builder.append(record(body, 5, 0));
    const RawBlock raw = builder.take();
    BlockHeader h = numbered();
    const auto stored = encoder.encode(raw, h, nullptr);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->size(), stored_size(h));
    const auto opened = open_block(std::string(*stored) + "what follows", nullptr);
    ASSERT_TRUE(opened) << opened.error().message;
    const auto block = decoder.decode(*opened);
    ASSERT_TRUE(block) << block.error().message;
    EXPECT_EQ(block->bodies, raw.bodies);
    EXPECT_EQ(block->index, raw.index);
    EXPECT_EQ(block->header.first_sequence, Sequence(9));
    EXPECT_TRUE(block->header.mini());
  }
}

TEST(Codec, WhatCameSlowlyIsStoredSmaller) {
  BlockEncoder encoder(1);
  BlockDecoder decoder;
  BlockBuilder builder(SourceId(2));
  std::uint64_t offset = 0;
  for (unsigned i = 0; i < 600; ++i) {
    const std::string body =
        fmt::format("2026-11-23T00:00:{:02} gw modbus[812]: unit={} addr=40021 regs=[{},{},{}] ok",
                    i / 10, i * 7919 % 12, i * 6131 % 911, i * 2741 % 839, i * 1237 % 751);
    builder.append(record(body, i, offset));
    offset += body.size() + 1;
  }
  RawBlock raw = builder.take();
  BlockHeader fast = numbered(), slow = numbered();
  ASSERT_TRUE(encoder.encode(raw, fast, nullptr));
  raw.slow = true;
  const auto stored = encoder.encode(raw, slow, nullptr);
  ASSERT_TRUE(stored);
  EXPECT_LT(slow.body_stored, fast.body_stored / 10 * 9);
  const auto block = decoder.decode(*open_block(*stored, nullptr));
  ASSERT_TRUE(block);
  EXPECT_EQ(block->bodies, raw.bodies);
  EXPECT_EQ(block->index, raw.index);
}

TEST(Codec, SixteenKibibytesInASecondComeSlowly) {
  using std::chrono::milliseconds;
  EXPECT_TRUE(comes_slowly(100, milliseconds(1000)));
  EXPECT_FALSE(comes_slowly(100, milliseconds(999)));
  EXPECT_TRUE(comes_slowly(60 * 16384 - 1, milliseconds(60'000)));
  EXPECT_FALSE(comes_slowly(60 * 16384, milliseconds(60'000)));
  EXPECT_FALSE(comes_slowly(100, milliseconds(-5000)));
}

TEST(Codec, AFrameThatContradictsItsHeaderIsCorrupt) {
  BlockEncoder encoder(1);
  BlockDecoder decoder;
  BlockHeader h = numbered();
  auto opened = open_block(*encoder.encode(two_records(), h, nullptr), nullptr);
  ASSERT_TRUE(opened);
  opened->header.body_raw = 4'000'000'000u;
  EXPECT_EQ(decoder.decode(*opened).error().code, ErrorCode::kCorrupt);
  opened->header.body_raw = 12;
  opened->body_frame.pop_back();
  EXPECT_EQ(decoder.decode(*opened).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace edgehose
