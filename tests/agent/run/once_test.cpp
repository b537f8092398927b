#include "agent/run/once.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kFull = static_cast<std::size_t>(DropReason::kBufferFull);

LaneState lane(std::uint32_t sink, std::uint64_t committed, std::uint64_t delivered) {
  LaneState state;
  state.key = {SinkId(sink), SourceId(1)};
  state.committed = {committed, 10 * committed};
  state.delivered = {delivered, 10 * delivered};
  return state;
}

// Two sinks that have delivered 1,000 records of source app in earlier runs.
Ledger earlier() {
  Ledger ledger;
  SourceState source;
  source.id = SourceId(1);
  source.name = "app";
  source.committed = {1000, 10'000};
  ledger.sources = {source};
  ledger.sinks = {{SinkId(1), "archive", ""}, {SinkId(2), "usb", ""}, {SinkId(3), "old", ""}};
  ledger.lanes = {lane(1, 1000, 1000), lane(2, 1000, 1000), lane(3, 1000, 0)};
  return ledger;
}
OnceReport report(Ledger start = earlier()) {
  return OnceReport(std::move(start), {{"archive", {}}, {"usb", {"app"}}});
}

TEST(OnceReport, CountsWhatThisRunReadAndWhatOfItEverySinkHas) {
  Ledger now = earlier();
  now.lanes = {lane(1, 1100, 1100), lane(2, 1100, 1040), lane(3, 1100, 0)};
  Progress progress;
  report().count(now, progress);
  EXPECT_EQ(progress.records, 100u);
  EXPECT_EQ(progress.earlier, 0u);
  EXPECT_EQ(progress.waiting, 60u);
  EXPECT_EQ(progress.delivered, 40u);
}

TEST(OnceReport, WhatEarlierRunsLeftIsDeliveredToo) {
  Ledger start = earlier();
  start.lanes[1] = lane(2, 1000, 700);
  Ledger now = start;
  now.lanes = {lane(1, 1100, 1100), lane(2, 1100, 800)};
  Progress progress;
  report(start).count(now, progress);
  EXPECT_EQ(progress.records, 400u);
  EXPECT_EQ(progress.earlier, 300u);
  EXPECT_EQ(progress.waiting, 300u);
  EXPECT_EQ(progress.delivered, 100u);
}

TEST(OnceReport, WhatWasDroppedIsNeitherDeliveredNorWaitedFor) {
  Ledger now = earlier();
  now.sources[0].not_taken = {40, 400};
  now.lanes = {lane(1, 1100, 1090), lane(2, 1100, 1100)};
  now.lanes[0].dropped[kFull] = {10, 100};
  Progress progress;
  report().count(now, progress);
  EXPECT_EQ(progress.records, 140u);
  EXPECT_EQ(progress.waiting, 0u);
  EXPECT_EQ(progress.delivered, 90u);
}

TEST(OnceReport, AllOfItIsAcknowledged) {
  Ledger start = earlier();
  start.sources[0].not_taken = {7, 70};  // of earlier runs
  start.lanes[0].dropped[kFull] = {7, 70};
  start.lanes[1].dead_lettered = {7, 70};
  SourceHealth no_match;
  no_match.name = "app";
  no_match.problem = "no file matches /x/*.log";
  EXPECT_THAT(report(start).shortfalls(start, {no_match}), IsEmpty());
}

TEST(OnceReport, ShortfallsNameSourceSinkAndNumber) {
  Ledger now = earlier();
  now.sources[0].not_taken = {140, 1400};
  now.lanes[0].dropped[kFull] = {1, 10};
  now.lanes[1].dropped[static_cast<std::size_t>(DropReason::kCorrupt)] = {3, 30};
  now.lanes[1].dead_lettered = {2, 20};
  now.lanes[2].dropped[kFull] = {9, 90};  // of a sink that is not in the config
  SourceHealth source;
  source.name = "app";
  source.problem = "/var/log/x.log cannot be opened";
  source.unreadable = true;
  source.losses.lost_bytes = 2048;
  EXPECT_THAT(
      report().shortfalls(now, {source}),
      ElementsAre("source app: /var/log/x.log cannot be opened",
                  "source app: 140 records, 1.4 KiB, dropped: the buffer was full",
                  "sink archive, source app: 1 record, 10 B, dropped: the buffer was full",
                  "sink usb, source app: 3 records, 30 B, dropped: their blocks in the buffer "
                  "are damaged",
                  "sink usb, source app: 2 records, 20 B, refused and kept as dead letters "
                  "(edgehose dead-letters list)"));
}

TEST(OnceReport, WhatTheTimeLimitLeftIsNamedWithItsAmountAndItsReason) {
  Ledger now = earlier();
  now.lanes = {lane(1, 1100, 1000), lane(2, 1100, 1099), lane(3, 1100, 0)};
  SourceHealth behind;
  behind.name = "app";
  behind.behind_bytes = 2048;
  EXPECT_THAT(report().unfinished(now, {behind}, {{"archive", "creating /x: Permission denied"}}),
              ElementsAre("source app: 2 KiB are not in the buffer yet",
                          "sink archive: 100 records, 1000 B, wait: creating /x: Permission denied",
                          "sink usb: 1 record, 10 B, wait"));
  EXPECT_THAT(report().unfinished(earlier(), {}, {}), IsEmpty());
}

TEST(Losses, AreSummedUpByWhoHadThemWithTheReason) {
  Ledger now = earlier();
  EXPECT_EQ(losses_since(earlier(), now, {}).lost, "");
  now.lanes[0].dropped[kFull] = {12, 120};
  now.lanes[1].dropped[static_cast<std::size_t>(DropReason::kCorrupt)] = {2, 20};
  now.sources[0].not_taken = {5, 50};
  EXPECT_EQ(losses_since(earlier(), now, {{"archive", {1, 10}}}).lost,
            "sink archive: 12 records (120 B) dropped (the buffer was full), 1 record (10 B) "
            "refused for good; sink usb: 2 records (20 B) dropped (their blocks in the buffer are "
            "damaged); source app: 5 records (50 B) not taken (the buffer was full)");
  EXPECT_EQ(losses_since(now, now, {}).lost, "") << "what earlier lives gave up is not this one's";
  EXPECT_EQ(losses_since(earlier(), now, {}).by_hand, "");
}

TEST(Losses, OfAPersonsDoingAreToldApart) {
  Ledger start = earlier(), now = earlier();
  start.lanes[0].dead_lettered = {3, 30};
  now.lanes[0].dropped[static_cast<std::size_t>(DropReason::kForgotten)] = {3, 30};  // purged
  EXPECT_EQ(losses_since(start, now, {}).lost, "");
  EXPECT_EQ(losses_since(start, now, {}).by_hand, "sink archive: 3 records (30 B)");
}

TEST(Losses, RefusedRecordsAreToldWhateverBecameOfDeadLetters) {
  Ledger start = earlier(), now = earlier();
  // Ten old ones were delivered again, ten were refused.
  start.lanes[0].dead_lettered = now.lanes[0].dead_lettered = {10, 100};
  EXPECT_EQ(losses_since(start, now, {{"archive", {10, 100}}}).lost,
            "sink archive: 10 records (100 B) refused for good");
}

TEST(OnceReport, WhatInputsLeftBehindIsNotDelivered) {
  Ledger start = earlier();
  start.lanes[1] = lane(2, 1000, 700);
  const OnceReport once(start, {{"archive", {}}, {"usb", {"app2"}}});
  EXPECT_THAT(once.shortfalls(start, {}),
              ElementsAre("300 records (2.9 KiB) of source app wait for sink usb, whose inputs do "
                          "not name it any more: add it there again, or give them up: edgehose "
                          "buffer forget usb --source app"));
  Progress progress;
  once.count(start, progress);
  EXPECT_EQ(progress.waiting, 300u);
  EXPECT_EQ(progress.delivered, 0u);
}

}  // namespace
}  // namespace edgehose
