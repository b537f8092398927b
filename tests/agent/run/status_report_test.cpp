#include "agent/run/status_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr WallTime kNow(1'700'000'000 * kSecond);

WallTime before(Duration d) { return WallTime(kNow.value - d.count()); }

// An agent that has run for an hour: one source, one sink with 10 records that wait since 1 minute.
ReportInput sound() {
  ReportInput input;
  input.agent = "gw-0042";
  input.version = "0.1.0";
  input.data_dir = "/var/lib/edgehose";
  input.pid = 1234;
  input.uptime = 1h;
  input.now = kNow;
  SourceHealth source;
  source.name = "app";
  source.files = 2;
  source.read_records = 100;
  source.read_bytes = 5000;
  input.sources = {source};
  SinkInput sink;
  sink.name = "archive";
  sink.max_age = 5min;
  sink.courier.last_success = before(1min);
  input.sinks = {sink};

  SourceState source_state;
  source_state.id = SourceId(1);
  source_state.name = "app";
  source_state.committed = {100, 5000};
  input.store.sources = {source_state};
  input.store.sinks = {{SinkId(1), "archive", ""}};
  StoreSnapshot::Lane lane;
  lane.state.key = {SinkId(1), SourceId(1)};
  lane.state.committed = {100, 5000};
  lane.state.delivered = {90, 4500};
  lane.state.last_delivery = before(1min);
  lane.oldest = before(1min);
  input.store.lanes = {lane};
  input.store.usage.used = 10 << 20;
  input.store.usage.limit = 512 << 20;
  return input;
}

TEST(StatusReport, SoundAgentIsHealthy) {
  const StatusReport report = make_report(sound());
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_THAT(report.reasons, IsEmpty());
  EXPECT_THAT(report.notes, IsEmpty());
  ASSERT_EQ(report.sinks.size(), 1u);
  EXPECT_EQ(report.sinks[0].backlog, (Counter{10, 500}));
  EXPECT_EQ(report.sinks[0].oldest_age, Duration(1min));
  EXPECT_EQ(report.sinks[0].state, "idle");
  ASSERT_EQ(report.sources.size(), 1u);
  EXPECT_EQ(report.sources[0].committed, (Counter{100, 5000}));
}

TEST(StatusReport, ARefusedReloadDegradesAndIsInTheJson) {
  ReportInput input = sound();
  input.config = "/etc/edgehose/edgehose.toml";
  input.reload = {3, "edgehose.toml:12:1: unknown key", before(1min)};
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDegraded);
  EXPECT_THAT(report.reasons, ElementsAre(EndsWith("refused: edgehose.toml:12:1: unknown key")));
  const auto back = parse_status(to_json(report));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->reload, input.reload);
  EXPECT_EQ(back->config, input.config);
  input.reload.refused.clear();
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
}

TEST(StatusReport, AnIdleSinkWhoseBatchIsNotDueWaits) {
  ReportInput input = sound();
  input.sinks[0].next_batch_in = 3min;
  EXPECT_EQ(make_report(input).sinks[0].state, "waiting");
  EXPECT_THAT(to_json(make_report(input)), HasSubstr(R"("state": "waiting")"));
  Claim claim;
  claim.lane = input.store.lanes[0].state.key;
  input.store.claims.push_back(claim);
  EXPECT_EQ(make_report(input).sinks[0].state, "idle") << "what was sent is being acknowledged";
  input.store.claims.clear();
  input.sinks[0].courier.state = CourierStatus::State::kBackingOff;
  EXPECT_EQ(make_report(input).sinks[0].state, "backing off");
  input.sinks[0].courier.state = CourierStatus::State::kIdle;
  input.store.lanes[0].state.delivered = {100, 5000};
  EXPECT_EQ(make_report(input).sinks[0].state, "idle") << "nothing waits";
}

TEST(StatusReport, AStalledSinkDegradesAtExactlyItsTime) {
  ReportInput input = sound();
  StoreSnapshot::Lane& lane = input.store.lanes[0];
  const auto health = [&](Duration oldest, Duration delivery) {
    lane.oldest = before(oldest);
    lane.state.last_delivery = input.sinks[0].courier.last_success = before(delivery);
    return make_report(input).health;
  };
  EXPECT_EQ(health(15min, 10min), Health::kDegraded);
  EXPECT_EQ(health(15min, 10min - 1s), Health::kHealthy) << "something was acknowledged";
  EXPECT_EQ(health(15min - 1s, 10min), Health::kHealthy)
      << "its oldest record is not ripe for long enough";
  input.uptime = 10min - 1s;
  EXPECT_EQ(health(24h, 24h), Health::kHealthy) << "it has just started";
}

TEST(StatusReport, NothingWaitingIsNoStall) {
  ReportInput input = sound();
  input.store.lanes[0].state.delivered = {100, 5000};
  input.store.lanes[0].oldest = before(24h);
  input.store.lanes[0].state.last_delivery = input.sinks[0].courier.last_success = before(24h);
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_FALSE(report.sinks[0].oldest_age);
}

TEST(StatusReport, TheReasonOfAStallHasTheLastError) {
  ReportInput input = sound();
  input.store.lanes[0].oldest = before(20min);
  input.store.lanes[0].state.last_delivery = input.sinks[0].courier.last_success = before(12min);
  input.sinks[0].courier.last_error = "No space left on device";
  EXPECT_THAT(
      make_report(input).reasons,
      ElementsAre(
          "sink archive: nothing acknowledged for 12 m, 10 records wait: No space left on device"));
}

TEST(StatusReport, ASinkOfWhichEachAttemptFailsDegrades) {
  ReportInput input = sound();
  CourierStatus& courier = input.sinks[0].courier;
  courier.state = CourierStatus::State::kBackingOff;
  courier.failed_in_a_row = 2;
  courier.last_error = "No space left on device; make room there";
  courier.error_since = before(30s - 1ns);
  EXPECT_EQ(make_report(input).health, Health::kHealthy) << "a lost connection is made again";
  courier.error_since = before(30s);
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("sink archive: each attempt has failed for 30 s (2 attempts), 10 records "
                          "wait: No space left on device; make room there"));
  courier.failed_in_a_row = 1;
  EXPECT_EQ(make_report(input).health, Health::kHealthy) << "a server asked for patience";
  courier.failed_in_a_row = 0;
  courier.state = CourierStatus::State::kIdle;
  EXPECT_EQ(make_report(input).health, Health::kHealthy) << "the first success";
}

TEST(StatusReport, DeadLettersDegradeAndNameTheirSinks) {
  ReportInput input = sound();
  input.store.lanes[0].state.dead_lettered = {3, 30};
  input.store.usage.dead_letters = 3;
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("3 records were refused for good by sink archive: edgehose dead-letters "
                          "list says why"));
  input.store.usage.dead_letters = 0;  // an earlier release purged them
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
}

TEST(StatusReport, DamagedBlocksDegrade) {
  ReportInput input = sound();
  input.store.usage.corrupt_blocks = 2;
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  EXPECT_THAT(make_report(input).reasons.at(0), StartsWith("2 damaged blocks were found"));
}

TEST(StatusReport, WhatIsCommittedSinceTheStartIsRead) {
  ReportInput input = sound();
  input.sources[0].read_records = 20;  // as of a second ago
  input.sources[0].read_bytes = 1000;
  input.committed_before = {{"app", {70, 3500}}};
  EXPECT_EQ(make_report(input).sources[0].read, (Counter{30, 1500}));
  input.committed_before = {{"app", {90, 4500}}};
  EXPECT_EQ(make_report(input).sources[0].read, (Counter{20, 1000})) << "ten are not committed yet";
  input.committed_before = {{"app", {1000, 50'000}}};  // forgotten since
  EXPECT_EQ(make_report(input).sources[0].read, (Counter{20, 1000}));
}

TEST(StatusReport, AParkedSinkDegrades) {
  ReportInput input = sound();
  input.sinks[0].courier.state = CourierStatus::State::kParked;
  input.sinks[0].courier.last_error = "another file system is mounted there";
  input.sinks[0].courier.error_since = before(3min);
  input.sinks[0].courier.next_attempt_in = 60s;
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDegraded);
  EXPECT_THAT(report.reasons,
              ElementsAre("sink archive is parked for 3 m: another file system is mounted there"));
  EXPECT_EQ(report.sinks[0].next_attempt_in, Duration(60s));
}

TEST(StatusReport, ASourceWithAProblemDegrades) {
  ReportInput input = sound();
  input.sources[0].problem = "permission denied";
  EXPECT_THAT(make_report(input).reasons, ElementsAre("source app: permission denied"));
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
}

TEST(StatusReport, FullBufferIsDownUnlessItDrops) {
  ReportInput input = sound();
  input.buffer_full = true;
  input.store.usage.used = input.store.usage.limit;
  EXPECT_EQ(make_report(input).health, Health::kDown);
  input.when_full = "drop_oldest";
  input.drops = true;
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  EXPECT_THAT(
      make_report(input).reasons,
      ElementsAre("the buffer is full: records are dropped unless sinks make room (drop_oldest)"));
  input.drops = false;  // all of it is claimed
  EXPECT_EQ(make_report(input).health, Health::kDown);
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer is full: nothing is read until a sink delivers"));
  EXPECT_EQ(make_report(input).buffer.full_in, Duration::zero());
}

TEST(StatusReport, AFullBufferThatHasRoomSaysWhy) {
  ReportInput input = sound();
  input.buffer_full = true;
  input.store.usage.limit = 1000;
  input.store.usage.used = 890;
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer is full (89 %, and what comes next does not fit): nothing is "
                          "read until a sink delivers"));
  input.store.usage.used = 990;
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer is full: nothing is read until a sink delivers"));
}

TEST(StatusReport, WhereSinksCannotMakeRoomAPersonMust) {
  ReportInput input = sound();
  input.buffer_full = true;
  input.store.usage.used = input.store.usage.limit;
  input.store.lanes[0].state.delivered = {100, 5000};
  EXPECT_THAT(make_report(input).reasons.at(0), EndsWith("raise buffer.max_size"));
  input.store.usage.dead_letters = 1;
  EXPECT_THAT(make_report(input).reasons.at(0),
              EndsWith("raise buffer.max_size, or purge dead letters"));
  input.store.usage.dead_letters = 0;
  input.disk_full = "the file system of /data has 0 B free";
  EXPECT_THAT(make_report(input).reasons.at(0),
              HasSubstr("nothing is read until there is room: free some of it"));
}

TEST(StatusReport, AFullDiskIsToldFromAFullBuffer) {
  ReportInput input = sound();
  input.buffer_full = true;
  input.disk_full = "the file system of /data has 0 B free";
  EXPECT_EQ(make_report(input).health, Health::kDown);
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer's disk is full (the file system of /data has 0 B free): "
                          "nothing is read until there is more, or a sink delivers"));
  input.when_full = "drop_newest";
  input.drops = true;
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer's disk is full (the file system of /data has 0 B free): "
                          "records are dropped unless sinks make room (drop_newest)"));
}

TEST(StatusReport, WhatTheDiskLeavesIsWhatIsFree) {
  ReportInput input = sound();
  EXPECT_EQ(make_report(input).buffer.free, 502u << 20);
  input.store.usage.disk_room = 100 << 20;
  EXPECT_EQ(make_report(input).buffer.free, 100u << 20);
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
  input.store.usage.disk_room = 0;
  EXPECT_EQ(make_report(input).health, Health::kDegraded) << "although nothing is to be read now";
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer's disk has room for nothing more, the buffer for 502 MiB "
                          "(buffer.max_size)"));
  EXPECT_EQ(parse_status(to_json(make_report(input)))->buffer.free, 0u);
}

TEST(StatusReport, AFullBufferThatSinksCatchUpWithIsNotDown) {
  ReportInput input = sound();
  input.buffer_full = true;
  input.store.usage.used = input.store.usage.limit;
  input.sinks[0].courier.last_success = before(59s);
  input.store.lanes[0].state.last_delivery = before(59s);
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("the buffer is full: what is read is what sinks make room for"));
  input.sinks[0].courier.last_success = before(61s);
  input.store.lanes[0].state.last_delivery = before(61s);
  EXPECT_EQ(make_report(input).health, Health::kDown);
}

TEST(StatusReport, AlmostFullDegrades) {
  ReportInput input = sound();
  input.store.usage.limit = 1000;
  input.store.usage.used = 899;
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
  input.store.usage.used = 900;
  EXPECT_THAT(make_report(input).reasons, ElementsAre("the buffer is 90 % full"));
}

TEST(StatusReport, FailingCommitsDegrade) {
  ReportInput input = sound();
  input.intake_problem = "writing the buffer: Input/output error";
  EXPECT_THAT(make_report(input).reasons,
              ElementsAre("intake: writing the buffer: Input/output error"));
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  input.intake_problem_for = kCommitsFail;
  EXPECT_EQ(make_report(input).health, Health::kDown);
}

TEST(StatusReport, SilentIntakeIsDownAndComesFirst) {
  ReportInput input = sound();
  input.sources[0].problem = "permission denied";
  input.intake_silence = 30s - 1ns;
  EXPECT_EQ(make_report(input).health, Health::kDegraded);
  input.intake_silence = 30s;
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDown);
  ASSERT_EQ(report.reasons.size(), 2u);
  EXPECT_EQ(report.reasons[0], "the intake loop has not moved for 30 s");
}

TEST(StatusReport, WithoutAnAgentItIsDownAndJudgesNoSink) {
  ReportInput input = sound();
  input.running = false;
  input.sinks[0].courier.state = CourierStatus::State::kParked;
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDown);
  EXPECT_THAT(report.reasons, ElementsAre("the agent is not running"));
  EXPECT_EQ(report.sinks[0].state, "");
}

TEST(StatusReport, LanesOfASinkAddUpAndItsOldestRecordCounts) {
  ReportInput input = sound();
  StoreSnapshot::Lane second = input.store.lanes[0];
  second.state.key.source = SourceId(2);
  second.state.dropped[0] = {4, 40};
  second.state.dead_lettered = {1, 10};
  second.oldest = before(3min);
  input.store.lanes.push_back(second);
  const auto claim_of = [](LaneKey lane) {
    Claim claim;
    claim.lane = lane;
    return claim;
  };
  input.store.claims = {claim_of({SinkId(1), SourceId(1)}), claim_of({SinkId(1), SourceId(2)}),
                        claim_of({SinkId(9), SourceId(1)})};
  const SinkReport sink = make_report(input).sinks[0];
  EXPECT_EQ(sink.backlog, (Counter{15, 950}));
  EXPECT_EQ(sink.delivered, (Counter{180, 9000}));
  EXPECT_EQ(sink.dropped[0], (Counter{4, 40}));
  EXPECT_EQ(sink.oldest_age, Duration(3min));
  EXPECT_EQ(sink.claims, 2u);
}

TEST(StatusReport, WhatInputsLeftBehindIsNoted) {
  ReportInput input = sound();
  input.sinks[0].inputs = {"app"};
  EXPECT_THAT(make_report(input).notes, IsEmpty());
  input.sinks[0].inputs = {"app2"};
  Claim claim;
  claim.lane = {SinkId(1), SourceId(1)};
  claim.size = {4, 200};
  input.store.claims = {claim};
  EXPECT_THAT(make_report(input).notes,
              ElementsAre("6 records (300 B) of source app wait for sink archive, whose inputs do "
                          "not name it any more: add it there again, or give them up: edgehose "
                          "buffer forget archive --source app"));
  input.store.claims[0].size = {10, 500};
  EXPECT_THAT(make_report(input).notes, IsEmpty()) << "all of it is under way";
}

TEST(StatusReport, WhatOnlyTheBufferKnowsIsNoted) {
  ReportInput input = sound();
  input.sinks.clear();
  input.sources.clear();
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kHealthy);
  ASSERT_EQ(report.sinks.size(), 1u);
  EXPECT_FALSE(report.sinks[0].configured);
  EXPECT_FALSE(report.sources[0].configured);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("edgehose buffer forget archive")));
}

TEST(StatusReport, TrafficIsThatOfTheRunningSinkElseTheBuffers) {
  ReportInput input = sound();
  input.today = {20'000, 657};
  SinkTraffic& kept = input.store.sinks[0].traffic;
  count(kept, {100, 10}, {19'999, 657});
  count(kept, {50, 5}, input.today);
  const SinkReport stopped = make_report(input).sinks[0];
  EXPECT_EQ(stopped.wire_today, (WireBytes{50, 5}));
  EXPECT_EQ(stopped.wire_this_month, (WireBytes{150, 15}));
  EXPECT_EQ(stopped.wire_ever, (WireBytes{150, 15}));
  input.sinks[0].traffic = kept;
  count(*input.sinks[0].traffic, {1, 1}, input.today);
  EXPECT_EQ(make_report(input).sinks[0].wire_today, (WireBytes{51, 6}));
  input.today = {20'001, 658};
  EXPECT_EQ(make_report(input).sinks[0].wire_this_month, WireBytes{});
}

TEST(StatusReport, JsonKeepsEverything) {
  ReportInput input = sound();
  input.today = {20'000, 657};
  count(input.store.sinks[0].traffic, {100, 10}, {19'998, 656});
  count(input.store.sinks[0].traffic, {50, 5}, {19'999, 657});
  count(input.store.sinks[0].traffic, {20, 2}, input.today);
  input.sinks[0].courier.state = CourierStatus::State::kBackingOff;
  input.sinks[0].courier.last_error = "refused";
  input.sinks[0].courier.error_since = before(90s);
  input.sinks[0].courier.next_attempt_in = 1500ms;
  input.sinks[0].courier.failed_in_a_row = 7;
  input.sinks[0].next_batch_in = 2500ms;
  input.store.lanes[0].state.dropped[1] = {3, 33};
  input.store.replaying = {{SinkId(1), 3}};
  input.store.oldest_dead_letter = {{SinkId(1), before(1h)}};
  input.store.usage.dead_letter_quota = 1 << 20;
  input.store.usage.salvaged_records = 12;
  input.store.usage.archived_blocks = 7;
  input.store.usage.archived_bytes = 1 << 20;
  input.store.usage.lost_records = 2;
  input.store.usage.quarantines = 1;
  input.store.usage.quarantine_bytes = 4096;
  input.store.compression = 8.25;
  input.store.epoch = Epoch{0xAB, 0x01};
  input.store.blocks = 17;
  input.rates = {Duration(3h), 0.17, 1e9, 3e9};
  input.device = "mmcblk0";
  input.last_flush = 3ms;
  input.mean_flush = 2ms;
  input.sinks[0].courier.in_flight = 2;
  input.sinks[0].courier.queued = 3;
  input.sinks[0].courier.unacknowledged = 4;
  input.sinks[0].courier.past_error = "it was away";
  input.sinks[0].courier.past_error_at = before(5min);
  input.sources[0].problem = "no";
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.buffer.epoch, "ab010000000000000000000000000000");
  EXPECT_EQ(report.buffer.blocks, 17u);
  EXPECT_EQ(report.sinks[0].replaying, 3u);
  EXPECT_EQ(report.sinks[0].unacknowledged, 4u);
  EXPECT_EQ(report.sinks[0].oldest_dead_letter, before(1h));
  EXPECT_EQ(report.buffer.lost_records, 2u);
  const auto back = parse_status(to_json(report));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, report);
}

TEST(StatusReport, JsonOfAnyBytesIsJson) {
  ReportInput input = sound();
  input.sources[0].problem = "caf\xE9";
  const auto back = parse_status(to_json(make_report(input)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->sources[0].problem, "caf\xEF\xBF\xBD");
}

TEST(StatusReport, AnErrorThatIsOverIsToldForAnHour) {
  ReportInput input = sound();
  input.sinks[0].courier.past_error = "it was away";
  input.sinks[0].courier.past_error_at = before(1h - 1s);
  EXPECT_EQ(make_report(input).sinks[0].past_error, "it was away");
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
  input.sinks[0].courier.past_error_at = before(1h);
  EXPECT_EQ(make_report(input).sinks[0].past_error, "");
}

TEST(StatusReport, OtherFormatsAndWhatIsNoStatusAreRefused) {
  EXPECT_EQ(parse_status(R"({"format": 99})").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(parse_status(R"({"format": 1})").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(parse_status("").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(parse_status(R"({"format": "1"})").error().code, ErrorCode::kInvalid);
}

TEST(StatusReport, ACallThatHangsIsNamed) {
  ReportInput input = sound();
  input.sinks[0].call = "fdatasync of /media/usb/x";
  input.sinks[0].call_for = 29s;
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
  input.sinks[0].call_for = 30s;
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDegraded);
  ASSERT_EQ(report.reasons.size(), 1u);
  EXPECT_THAT(report.reasons[0],
              HasSubstr("sink archive: the system has not answered since 2023-11-14T22:12:50"));
  EXPECT_THAT(report.reasons[0], HasSubstr("fdatasync of /media/usb/x"));
  const auto copy = parse_status(to_json(report));
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->sinks, report.sinks);
}

TEST(StatusReport, ABatchThatFailsWhileOthersGoIsToldInTime) {
  ReportInput input = sound();
  input.sinks[0].courier.failing_alone = 1;
  input.sinks[0].courier.last_error = "':' in it";
  input.sinks[0].courier.error_since = before(9min);
  EXPECT_EQ(make_report(input).health, Health::kHealthy);
  input.sinks[0].courier.error_since = before(10min);
  const StatusReport report = make_report(input);
  EXPECT_EQ(report.health, Health::kDegraded);
  EXPECT_THAT(report.reasons.at(0), HasSubstr("':' in it"));
}

}  // namespace
}  // namespace edgehose
