#include "sinks/events/event_body.h"

#include <gmock/gmock.h>

#include "tests/sinks/object/fake_store.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using testing::ElementsAre;

// "7:text@path;"
class PlainWriter final : public EventWriter {
 public:
  void append(const Record& record, std::string_view file, std::string& out) override {
    out += fmt::format("{}:{}@{};", record.sequence.value, record.body, file);
  }
};

SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence(first), Sequence(last)};
}

class EventBodyTest : public ::testing::Test {
 protected:
  EventBodyTest() {
    store_.add(SourceId(1), {"a", "b", "c"}, false);
    store_.add(SourceId(1), {"d", "e"}, false);
    store_.add(SourceId(1), {"f"}, false);
    Claim& claim = batch_.claim;
    claim.lane = {SinkId(1), SourceId(1)};
    claim.begin = {BlockNumber(1), 0};
    claim.end = {BlockNumber(4), 0};
    claim.first = Sequence(1), claim.last = Sequence(6);
    claim.size = {6, 12};
    claim.key = "app 1 to 6";
  }
  EventBody body(std::uint64_t limit = 1 << 20) {
    return {store_, batch_, [](const Batch&) { return std::make_unique<PlainWriter>(); }, limit};
  }
  static std::string all_of(EventBody& body) {
    std::string out;
    for (;;) {
      const auto more = body.more(out);
      if (!more) return "error: " + more.error().message;
      if (!*more) return out;
    }
  }

  test::FakeStore store_;
  Batch batch_;
};

constexpr const char* kPath = "@/var/log/app.log;";
std::string events(const std::string& numbered) {
  std::string out;
  for (std::size_t i = 0; i + 1 < numbered.size(); i += 2)
    out += fmt::format("{}:{}{}", numbered[i], numbered[i + 1], kPath);
  return out;
}

TEST_F(EventBodyTest, HoldsTheRecordsOfTheClaimInTheirOrder) {
  EventBody made = body();
  const std::string all = all_of(made);
  EXPECT_EQ(all, events("1a2b3c4d5e6f"));
  EXPECT_THAT(made.sent(), ElementsAre(range(1, 6)));
  EXPECT_EQ(made.summary()->encoded, (Counter{6, 12}));
  EXPECT_EQ(made.summary()->object_bytes, all.size());
  EXPECT_TRUE(made.summary()->complete);
}

TEST_F(EventBodyTest, ABlockAtATime) {
  EventBody made = body();
  std::string out;
  EXPECT_EQ(made.more(out), true);
  EXPECT_EQ(out, events("1a2b3c"));
}

TEST_F(EventBodyTest, WhatIsKnownToBeRefusedByItsSizeIsNotMade) {
  const std::uint64_t all = events("1a2b3c4d5e6f").size();
  batch_.size_limit = all / 2;  // so much was refused
  EventBody refused = body();
  EXPECT_THAT(all_of(refused), testing::StartsWith("error: app 1 to 6 is more than"));
  batch_.size_limit = all / 2 + 1;
  EventBody made = body();
  EXPECT_EQ(all_of(made).size(), all);
}

TEST_F(EventBodyTest, OnlyWhatIsLeft) {
  batch_.left = {range(2, 2), range(6, 6)};
  EventBody made = body();
  EXPECT_EQ(all_of(made), events("2b6f"));
  EXPECT_THAT(made.sent(), ElementsAre(range(2, 2), range(6, 6)));
  EXPECT_EQ(store_.reads, 2) << "the block between them is not read";
}

TEST_F(EventBodyTest, APartOfABlock) {
  batch_.claim.begin = {BlockNumber(1), 2};
  batch_.claim.end = {BlockNumber(2), 1};
  batch_.claim.first = Sequence(3), batch_.claim.last = Sequence(4);
  EventBody made = body();
  EXPECT_EQ(all_of(made), events("3c4d"));
}

TEST_F(EventBodyTest, TheSameAgain) {
  EventBody made = body();
  const std::string first = all_of(made);
  made.rewind();
  EXPECT_EQ(all_of(made), first);
  auto stream = made.open();
  ASSERT_TRUE(stream);
  EXPECT_EQ(test::drain(**stream).bytes, first);
  EXPECT_EQ(made.summary()->encoded.records, 6u);
}

TEST_F(EventBodyTest, DamagedBlocksAreLeftOutAndTold) {
  store_.damage(BlockNumber(2));
  EventBody made = body();
  EXPECT_EQ(all_of(made), events("1a2b3c6f"));
  EXPECT_THAT(made.sent(), ElementsAre(range(1, 3), range(6, 6)));
  EXPECT_EQ(made.summary()->missing_records, 2u);
}

TEST_F(EventBodyTest, WhatTheServiceHasToldOfIsNotMissing) {
  store_.remove(BlockNumber(1));
  store_.damage(BlockNumber(2));
  batch_.left = {range(3, 4), range(6, 6)};
  EventBody made = body();
  EXPECT_EQ(all_of(made), events("6f"));
  EXPECT_EQ(made.summary()->missing_records, 2u);
  EXPECT_THAT(made.summary()->missing,
              ElementsAre(MissingRecords{SourceId(1), Sequence(3), Sequence(4)}));
}

TEST_F(EventBodyTest, AnErrorOfTheStoreEndsIt) {
  store_.fail_at(BlockNumber(2));
  EventBody made = body();
  EXPECT_EQ(all_of(made), "error: the disk is away");
}

TEST_F(EventBodyTest, WhatIsTooLargeIsToldBeforeItIsAllMade) {
  EventBody made = body(30);
  EXPECT_THAT(all_of(made), testing::StartsWith("error: app 1 to 6 is more than 30"));
}

TEST_F(EventBodyTest, ASingleRecordHasNoLimit) {
  batch_.claim.begin = {BlockNumber(3), 0};
  batch_.claim.first = Sequence(6);
  EventBody made = body(1);
  EXPECT_EQ(all_of(made), events("6f"));
}

TEST_F(EventBodyTest, AReplayIsOfTheDeadLetters) {
  for (std::uint64_t id : {11, 12, 13}) {
    DeadLetter letter;
    letter.id = id;
    letter.sequence = Sequence(id + 100);
    letter.body = "letter" + std::to_string(id);
    store_.letters[id] = letter;
  }
  store_.letters.erase(12);
  batch_.claim.letters = {11, 12, 13};
  EventBody made = body();
  EXPECT_EQ(all_of(made), "111:letter11@;113:letter13@;");
  EXPECT_THAT(made.sent(), ElementsAre(range(111, 111), range(113, 113)));
  EXPECT_EQ(made.summary()->missing_records, 1u);

  batch_.left = {range(113, 113)};
  EventBody rest = body();
  EXPECT_EQ(all_of(rest), "113:letter13@;");

  store_.letters.clear();
  EventBody nothing = body();
  std::string out;
  EXPECT_EQ(nothing.more(out), false);
  EXPECT_EQ(out, "");
  EXPECT_TRUE(nothing.sent().empty());
}

// A record of which a service wants nothing: its place is no one's.
TEST_F(EventBodyTest, WhatIsNotWrittenIsNotSentAndNotMissing) {
  class NoB final : public EventWriter {
   public:
    void append(const Record& record, std::string_view, std::string& out) override {
      if (record.body != "b") out += record.body;
    }
  };
  EventBody made(
      store_, batch_, [](const Batch&) { return std::make_unique<NoB>(); }, 1 << 20);
  EXPECT_EQ(all_of(made), "acdef");
  EXPECT_THAT(made.sent(), ElementsAre(range(1, 1), range(3, 6)));
  EXPECT_EQ(made.summary()->encoded.records, 6u);
  EXPECT_EQ(made.summary()->omitted_records, 1u);
  EXPECT_EQ(made.summary()->missing_records, 0u);
}

}  // namespace
}  // namespace edgehose
