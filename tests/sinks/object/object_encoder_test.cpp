// Objects out of blocks: what is in them, what is passed through, what is missing, who can read
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sinks/object/decrypt.h"
#include "sinks/object/object_encoder.h"
#include "tests/sinks/object/fake_store.h"
#include "tests/sinks/object/s3ec_support.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using Records = ObjectRendering::Format;
using Compression = ObjectRendering::Compression;
using test::FakeStore;
using testing::ElementsAre;

constexpr SourceId kApp{1}, kOther{2};

struct Encoded {
  std::string bytes;
  std::shared_ptr<const ObjectSummary> summary;
  std::optional<Error> error;
};

class ObjectEncoder : public testing::Test {
 protected:
  // Minis, full blocks and minis again, with another source's block among them.
  ObjectEncoder() {
    for (const bool mini : {true, true, false, false, true, true, true}) {
      add(kApp, mini ? 20 : 9000, mini);
      if (mini) add(kOther, 5, true);
    }
    claim.lane = {SinkId(1), kApp};
    claim.begin = {BlockNumber(1), 0};
    claim.end = {store.end_block(), 0};
    claim.first = Sequence(1);
    claim.last = Sequence(lines[kApp].size());
  }

  void add(SourceId source, int count, bool mini) {
    std::vector<std::string> records;
    for (int i = 0; i < count; ++i) {
      std::string line = "source " + std::to_string(source.value) + " line " +
                         std::to_string(lines[source].size()) + " value " +
                         std::to_string(random());
      if (i == 3) line = std::string("\0\xff\xfe binary", 10) + std::to_string(random());
      if (i == 4) line.clear();
      lines[source].push_back(line);
      records.push_back(line);
    }
    infos[source].push_back(store.add(source, records, mini));
  }

  std::string expected(std::size_t begin = 0, std::size_t end = SIZE_MAX) {
    std::string all;
    for (std::size_t i = begin; i < std::min(end, lines[kApp].size()); ++i)
      all += lines[kApp][i] + "\n";
    return all;
  }

  Encoded encode(const ObjectRendering& rendering, std::size_t piece = 4099) {
    auto stream = encode_object(store, claim, rendering, "app");
    EXPECT_TRUE(stream) << stream.error().message;
    Encoded encoded;
    encoded.summary = (*stream)->summary();
    test::Drained all = test::drain(**stream, piece);
    encoded.bytes = all.bytes;
    encoded.error = all.error;
    return encoded;
  }

  std::string decode(const std::string& object, std::vector<AgeIdentity> identities = {}) {
    auto opened = open_object(test::stream(object), {std::move(identities)});
    EXPECT_TRUE(opened) << opened.error().message;
    test::Drained all = test::drain(*opened->plain);
    EXPECT_FALSE(all.error) << all.error->message;
    return all.bytes;
  }

  std::mt19937 random{7};
  FakeStore store;
  std::map<SourceId, std::vector<std::string>> lines;
  std::map<SourceId, std::vector<BlockInfo>> infos;
  Claim claim;
};

ObjectRendering rendering(Records format, Compression compression) {
  ObjectRendering r;
  r.format = format;
  r.compression = compression;
  r.agent = "gw-1";
  return r;
}

TEST_F(ObjectEncoder, ABodyStreamsTheSameBytesAgainAlsoEncrypted) {
  const auto identity = *AgeIdentity::generate();
  for (const bool encrypted : {false, true}) {
    ObjectRendering r = rendering(Records::kLines, Compression::kGzip);
    if (encrypted) r.age_recipients = {identity.recipient().to_string()};
    const auto body = encode_object_body(store, claim, r, "app");
    ASSERT_TRUE(body) << body.error().message;
    std::vector<std::string> streamed;
    for (int i = 0; i < 3; ++i) {
      const auto stream = (*body)->open();
      ASSERT_TRUE(stream) << stream.error().message;
      streamed.push_back(test::drain(**stream).bytes);
      EXPECT_EQ((*body)->summary()->object_bytes, streamed.back().size()) << "counted once";
      EXPECT_TRUE((*body)->summary()->complete);
    }
    EXPECT_TRUE(streamed[0] == streamed[1] && streamed[1] == streamed[2]);
    EXPECT_EQ(decode(streamed[0], {identity}), expected());
  }
}

TEST_F(ObjectEncoder, ABodyThatLacksBlocksTheSecondTimeIsAnError) {
  const auto body =
      encode_object_body(store, claim, rendering(Records::kLines, Compression::kNone), "app");
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_FALSE(test::drain(**(*body)->open()).error);
  EXPECT_FALSE((*body)->summary()->changed);
  store.damage(infos[kApp][1].number);
  EXPECT_TRUE(test::drain(**(*body)->open()).error);
  EXPECT_TRUE((*body)->summary()->changed);
  EXPECT_EQ((*body)->summary()->missing_records, 0u) << "of the first";
}

TEST_F(ObjectEncoder, LinesInEveryCompressionAreTheRecords) {
  for (const auto compression : {Compression::kZstd, Compression::kGzip, Compression::kNone}) {
    const Encoded object = encode(rendering(Records::kLines, compression));
    ASSERT_FALSE(object.error);
    EXPECT_EQ(decode(object.bytes), expected());
    EXPECT_EQ(object.summary->encoded, (Counter{lines[kApp].size(), expected().size()}));
    EXPECT_EQ(object.summary->object_bytes, object.bytes.size());
    EXPECT_THAT(object.summary->missing, ElementsAre());
    EXPECT_TRUE(object.summary->complete);
    EXPECT_EQ(object.summary->passed_through, compression == Compression::kZstd ? 2u : 0u);
  }
}

TEST_F(ObjectEncoder, ASecondStreamHoldsTheSameBytesWhereNothingIsEncrypted) {
  const auto zstd = rendering(Records::kLines, Compression::kZstd);
  EXPECT_EQ(encode(zstd, 17).bytes, encode(zstd, 100'000).bytes);
}

TEST_F(ObjectEncoder, StoredFramesAreHandedOutAsTheyAre) {
  claim.begin = {infos[kApp][2].number, 0};
  claim.end = {infos[kApp][3].number + 1, 0};
  claim.first = infos[kApp][2].first;
  claim.last = infos[kApp][4].first + std::uint64_t(-1);
  const Encoded object = encode(rendering(Records::kLines, Compression::kZstd));
  EXPECT_EQ(object.bytes, store.read(infos[kApp][2].number)->body_frame +
                              store.read(infos[kApp][3].number)->body_frame);
  EXPECT_THAT(object.summary->missing, ElementsAre());
}

TEST_F(ObjectEncoder, APositionInsideABlockCutsIt) {
  claim.begin = {infos[kApp][2].number, 1000};
  claim.end = {infos[kApp][3].number, 7};
  claim.first = infos[kApp][2].first + 1000;
  claim.last = infos[kApp][3].first + 6;
  const std::size_t first = claim.first.value - 1, end = claim.last.value;
  for (const auto format : {Records::kLines, Records::kNdjson}) {
    const Encoded object = encode(rendering(format, Compression::kZstd));
    EXPECT_EQ(object.summary->encoded.records, end - first);
    EXPECT_EQ(object.summary->encoded.bytes, expected(first, end).size());
    EXPECT_THAT(object.summary->missing, ElementsAre());
    EXPECT_EQ(object.summary->passed_through, 0u);
    if (format == Records::kLines) {
      EXPECT_EQ(decode(object.bytes), expected(first, end));
    }
  }
}

TEST_F(ObjectEncoder, NdjsonTellsWhereEachRecordIsFrom) {
  const Encoded object = encode(rendering(Records::kNdjson, Compression::kGzip));
  ASSERT_FALSE(object.error);
  std::istringstream text(decode(object.bytes));
  std::string line;
  std::size_t i = 0;
  for (; std::getline(text, line); ++i) {
    const auto json = nlohmann::json::parse(line);
    ASSERT_EQ(json["sequence"], i + 1);
    ASSERT_EQ(json["agent"], "gw-1");
    ASSERT_EQ(json["source"], "app");
    ASSERT_EQ(json["file"], "/var/log/app.log");
    ASSERT_FALSE(json.contains("truncated"));
    if (lines[kApp][i].find('\xff') == std::string::npos) {
      ASSERT_EQ(json["message"], lines[kApp][i]);
    }
  }
  EXPECT_EQ(i, lines[kApp].size());
}

TEST_F(ObjectEncoder, NdjsonOfABlockIsNotRenderedAtOnce) {
  claim.begin = {infos[kApp][2].number, 0};  // a full block
  auto stream = encode_object(store, claim, rendering(Records::kNdjson, Compression::kNone), "app");
  ASSERT_TRUE(stream);
  char first[1000];
  ASSERT_EQ((*stream)->read(first, sizeof first).value(), sizeof first);
  EXPECT_EQ((*stream)->summary()->encoded.records, 0u) << "there is more of the block to come";
  const std::string rest = test::drain(**stream).bytes;
  EXPECT_EQ((*stream)->summary()->encoded.records, lines[kApp].size() - 40);
  EXPECT_EQ(std::ranges::count(std::string(first, sizeof first) + rest, '\n'),
            static_cast<std::ptrdiff_t>(lines[kApp].size() - 40));
}

TEST_F(ObjectEncoder, ALaneOverSeveralSourcesNamesThem) {
  claim.lane.source = SourceId(0);
  auto stream = encode_object(store, claim, rendering(Records::kNdjson, Compression::kNone), "");
  std::istringstream text(test::drain(**stream).bytes);
  std::string line;
  std::map<std::string, std::size_t> count;
  while (std::getline(text, line)) ++count[nlohmann::json::parse(line)["source"]];
  EXPECT_EQ(count["app"], lines[kApp].size());
  EXPECT_EQ(count["other"], lines[kOther].size());
}

TEST_F(ObjectEncoder, DamagedAndVanishedBlocksAreToldAndTheRestDelivered) {
  const BlockInfo mini = infos[kApp][1], full = infos[kApp][2], last = infos[kApp].back();
  store.damage(mini.number);
  store.damage(full.number);  // neighbours in sequence: one range
  store.remove(last.number);
  const std::size_t from = mini.first.value - 1, to = full.first.value - 1 + full.records;
  for (const auto format : {Records::kLines, Records::kNdjson}) {
    const Encoded object = encode(rendering(format, Compression::kZstd));
    ASSERT_FALSE(object.error);
    EXPECT_THAT(object.summary->missing, ElementsAre(MissingRecords{kApp, mini.first, Sequence(to)},
                                                     MissingRecords{kApp, last.first, claim.last}));
    EXPECT_EQ(object.summary->missing_records, mini.records + full.records + last.records);
    EXPECT_EQ(object.summary->encoded.records + object.summary->missing_records,
              lines[kApp].size());
    if (format == Records::kLines) {
      EXPECT_EQ(decode(object.bytes), expected(0, from) + expected(to, last.first.value - 1));
    }
  }
}

TEST_F(ObjectEncoder, AnotherErrorEndsTheStream) {
  store.fail_at(infos[kApp][3].number);
  const Encoded object = encode(rendering(Records::kLines, Compression::kZstd));
  ASSERT_TRUE(object.error);
  EXPECT_EQ(object.error->code, ErrorCode::kIo);
  EXPECT_FALSE(object.summary->complete);
}

TEST_F(ObjectEncoder, AnObjectOfNothingIsStillAFile) {
  for (const auto& block : infos[kApp]) store.damage(block.number);
  for (const auto compression : {Compression::kZstd, Compression::kGzip, Compression::kNone}) {
    const Encoded object = encode(rendering(Records::kLines, compression));
    EXPECT_EQ(decode(object.bytes), "");
    EXPECT_EQ(object.summary->missing_records, lines[kApp].size());
    EXPECT_EQ(object.bytes.empty(), compression == Compression::kNone);
  }
}

TEST_F(ObjectEncoder, TheToolsReadTheObjects) {
  test::TemporaryDirectory directory;
  const auto identity = *AgeIdentity::generate();
  test::write_file(directory.file("key"), identity.to_string() + "\n");
  for (const bool encrypt : {false, true}) {
    for (const auto compression : {Compression::kZstd, Compression::kGzip, Compression::kNone}) {
      auto r = rendering(Records::kLines, compression);
      if (encrypt) r.age_recipients = {identity.recipient().to_string()};
      const Encoded object = encode(r);
      const std::string file = directory.file("object" + object_extension(r));
      test::write_file(file, object.bytes);
      const char* const tool = compression == Compression::kZstd   ? "zstd -dcq"
                               : compression == Compression::kGzip ? "gzip -dc"
                                                                   : "cat";
      const std::string open =
          encrypt ? "age -d -i " + directory.file("key") + " " + file : "cat " + file;
      EXPECT_EQ(test::run(open + " | " + tool), expected()) << file;
      EXPECT_EQ(decode(object.bytes, {identity}), expected());
    }
  }
}

TEST_F(ObjectEncoder, RecompressedFramesAreBounded) {
  // 4 minis of 100 KiB: no frame above 256 KiB, fewer frames than minis.
  FakeStore minis;
  std::string all;
  for (int i = 0; i < 4; ++i) {
    const std::string line = test::random_text(100'000, static_cast<unsigned>(i));
    std::string body;
    for (const char c : line) body.push_back(c == '\n' ? ' ' : c);
    minis.add(kApp, {body}, true);
    all += body + "\n";
  }
  claim.end = {minis.end_block(), 0};
  claim.last = Sequence(4);
  auto stream = encode_object(minis, claim, rendering(Records::kLines, Compression::kZstd), "app");
  const std::string object = test::drain(**stream).bytes;
  EXPECT_EQ(decode(object), all);
  std::size_t frames = 0;
  for (std::size_t at = 0; at < object.size(); ++frames) {
    ASSERT_EQ(object.substr(at, 4), "\x28\xB5\x2F\xFD");  // plain frames, nothing skippable
    const std::size_t next = object.find("\x28\xB5\x2F\xFD", at + 1);
    at = std::min(next, object.size());
  }
  EXPECT_EQ(frames, 2u);
}

TEST_F(ObjectEncoder, AWrongRenderingIsRefusedBeforeAnythingIsRead) {
  auto r = rendering(Records::kLines, Compression::kZstd);
  r.level = 20;
  EXPECT_FALSE(encode_object(store, claim, r, "app"));
  r.level = 1;
  r.age_recipients = {"age1nonsense"};
  EXPECT_FALSE(encode_object(store, claim, r, "app"));
  EXPECT_EQ(store.reads, 0);
}

// A batch for the S3 Encryption Client: the same bytes each time it is streamed, and its metadata
// there before the first.
TEST_F(ObjectEncoder, ABodyForTheS3EncryptionClientHasItsMetadata) {
  const test::TemporaryDirectory directory;
  test::write_file(directory.file("aes"), test::key_of('k').view());
  ObjectRendering r = rendering(Records::kLines, Compression::kZstd);
  for (const bool rsa : {false, true}) {
    r.s3ec.emplace();
    if (rsa)
      r.s3ec->rsa_public_key = *s3ec::rsa_public_key(test::rsa_pem().open);
    else
      r.s3ec->aes_key = {SecretRef::Kind::kFile, directory.file("aes"), {}};
    const auto body = encode_object_body(store, claim, r, "app");
    ASSERT_TRUE(body) << body.error().message;
    const auto metadata = (*body)->summary()->metadata;
    EXPECT_EQ(metadata.at("x-amz-w"), rsa ? "22" : "02");
    const std::string once = test::drain(**(*body)->open()).bytes;
    EXPECT_TRUE(test::drain(**(*body)->open()).bytes == once);
    const auto zstd =
        test::opened(once, metadata,
                     {*s3ec::UnwrappingKey::parse(rsa ? test::rsa_pem().secret
                                                      : std::string(test::key_of('k').view()))});
    ASSERT_TRUE(zstd) << zstd.error().message;
    EXPECT_EQ(decode(*zstd), expected());
    const auto other = encode_object_body(store, claim, r, "app");
    EXPECT_NE((*other)->summary()->metadata, metadata) << "another attempt, another key";
  }
  EXPECT_TRUE(encode(rendering(Records::kLines, Compression::kZstd)).summary->metadata.empty());
}

// kNotFound would say that nothing is left of a replay, and settle it.
TEST_F(ObjectEncoder, AKeyThatCannotBeReadNeedsAPerson) {
  ObjectRendering r = rendering(Records::kLines, Compression::kZstd);
  r.s3ec.emplace().aes_key = {SecretRef::Kind::kFile, "/nonexistent/aes.key", {}};
  const auto body = encode_object_body(store, claim, r, "app");
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(body.error().message, testing::HasSubstr("/nonexistent/aes.key"));
  EXPECT_EQ(store.reads, 0);
}

TEST(ObjectRenderings, ForTheS3EncryptionClientTheyReadBackAndDamageIsTold) {
  auto r = rendering(Records::kLines, Compression::kZstd);
  const std::string before = serialize_rendering(r);
  EXPECT_EQ(before[0], 1) << "an older edgehose reads it";
  r.s3ec = S3ecRendering{2, "der", {}};
  EXPECT_EQ(parse_rendering(serialize_rendering(r))->s3ec->rsa_public_key, "der");
  r.s3ec = S3ecRendering{2, "", {SecretRef::Kind::kCredential, "aes", {}}};
  const std::string bytes = serialize_rendering(r);
  EXPECT_EQ(bytes[0], 2) << "an older edgehose must not send it plain";
  const auto again = parse_rendering(bytes);
  ASSERT_TRUE(again && again->s3ec);
  EXPECT_EQ(again->s3ec->version, 2);
  EXPECT_EQ(again->s3ec->aes_key.text(), "{ credential = \"aes\" }");
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(parse_rendering(bytes.substr(0, n)));
  EXPECT_FALSE(parse_rendering(bytes + "x"));
  EXPECT_FALSE(parse_rendering(before)->s3ec);
}

TEST(ObjectRenderings, OneKindOfKeyInAKnownFormat) {
  auto r = rendering(Records::kLines, Compression::kZstd);
  const SecretRef aes{SecretRef::Kind::kFile, "/aes", {}};
  const std::string rsa = *s3ec::rsa_public_key(test::rsa_pem().open);
  r.s3ec = S3ecRendering{3, {}, aes};
  EXPECT_TRUE(check_rendering(r));
  r.s3ec = S3ecRendering{3, rsa, {}};
  EXPECT_TRUE(check_rendering(r));
  for (const S3ecRendering& wrong : {S3ecRendering{3, {}, {}}, S3ecRendering{3, rsa, aes},
                                     S3ecRendering{4, rsa, {}}, S3ecRendering{3, "no key", {}}}) {
    r.s3ec = wrong;
    EXPECT_FALSE(check_rendering(r));
  }
  r.s3ec = S3ecRendering{3, rsa, {}};
  r.age_recipients = {AgeIdentity::generate()->recipient().to_string()};
  EXPECT_FALSE(check_rendering(r)) << "of which only one would be done";
}

TEST(ObjectRenderings, ExtensionsSayWhatIsInside) {
  auto r = rendering(Records::kLines, Compression::kZstd);
  EXPECT_EQ(object_extension(r), ".log.zst");
  r.age_recipients = {"age1x"};
  EXPECT_EQ(object_extension(r), ".log.zst.age");
  EXPECT_EQ(object_extension(rendering(Records::kNdjson, Compression::kGzip)), ".ndjson.gz");
  EXPECT_EQ(object_extension(rendering(Records::kLines, Compression::kNone)), ".log");
}

TEST(ObjectRenderings, ThePersistedFormReadsBackAndDamageIsTold) {
  auto r = rendering(Records::kNdjson, Compression::kGzip);
  r.level = 6;
  r.age_recipients = {"age1one", "age1two"};
  const std::string bytes = serialize_rendering(r);
  const auto again = parse_rendering(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->format, r.format);
  EXPECT_EQ(again->compression, r.compression);
  EXPECT_EQ(again->level, 6);
  EXPECT_EQ(again->agent, "gw-1");
  EXPECT_EQ(again->age_recipients, r.age_recipients);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(parse_rendering(bytes.substr(0, n)));
  EXPECT_FALSE(parse_rendering(bytes + "x"));
  EXPECT_EQ(parse_rendering("\x03" + bytes.substr(1)).error().code, ErrorCode::kUnsupported);
}

// --- replays
// --------------------------------------------------------------------------------------

class Replay : public testing::Test {
 protected:
  Replay() {
    replay.lane = {SinkId(1), kApp};
    for (const std::uint64_t id : {3, 5, 4}) {
      DeadLetter letter;
      letter.id = id;
      letter.lane = replay.lane;
      letter.sequence = Sequence(10 * id);
      letter.body = "refused " + std::to_string(id);
      letter.file = FileId(1);
      letter.begin = 100 * id;
      store.letters[id] = letter;
      replay.letters.push_back(id);
    }
    replay.key = "k";
  }
  std::string encoded(const ObjectRendering& rendering) {
    auto stream = encode_object(store, replay, rendering, "app");
    EXPECT_TRUE(stream) << stream.error().message;
    summary = (*stream)->summary();
    std::string out;
    for (char chunk[7];;) {
      const auto n = (*stream)->read(chunk, sizeof chunk);
      EXPECT_TRUE(n);
      if (!n || *n == 0) return out;
      out.append(chunk, *n);
    }
  }
  FakeStore store;
  Claim replay;
  std::shared_ptr<const ObjectSummary> summary;
};

TEST_F(Replay, HoldsTheLettersInTheirOrder) {
  ObjectRendering plain;
  plain.compression = Compression::kNone;
  EXPECT_EQ(encoded(plain), "refused 3\nrefused 5\nrefused 4\n");
  EXPECT_EQ(summary->encoded, (Counter{3, 30}));
  EXPECT_TRUE(summary->complete);
}

TEST_F(Replay, RecordsKeepTheirIdentityAndOrigin) {
  ObjectRendering rendering;
  rendering.format = Records::kNdjson;
  rendering.compression = Compression::kNone;
  rendering.agent = "gw-1";
  replay.letters = {4};
  const auto json = nlohmann::json::parse(encoded(rendering));
  EXPECT_EQ(json["sequence"], 40);
  EXPECT_EQ(json["agent"], "gw-1");
  EXPECT_EQ(json["source"], "app");
  EXPECT_EQ(json["file"], "/var/log/app.log");
  EXPECT_EQ(json["offset"], 400);
  EXPECT_EQ(json["message"], "refused 4");
}

TEST_F(Replay, PurgedLettersAreLeftOutAndCounted) {
  ObjectRendering plain;
  plain.compression = Compression::kNone;
  store.letters.erase(5);
  EXPECT_EQ(encoded(plain), "refused 3\nrefused 4\n");
  EXPECT_EQ(summary->missing_records, 1u);
  store.letters.clear();
  EXPECT_EQ(encode_object(store, replay, plain, "app").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace edgehose
