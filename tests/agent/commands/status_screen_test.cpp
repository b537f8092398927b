#include "agent/commands/status_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr WallTime kNow(1'700'000'000 * kSecond);
WallTime before(Duration d) { return WallTime(kNow.value - d.count()); }

StatusReport healthy() {
  StatusReport r;
  r.agent = "gw-0042";
  r.version = "0.1.0";
  r.data_dir = "/var/lib/edgehose";
  r.pid = 1234;
  r.uptime = 76h + 5min;
  r.at = kNow;
  SourceReport source;
  source.name = "app";
  source.files = 12;
  source.read = {345'678, 36'000'000};
  source.committed = {1'234'567, 126'000'000};
  source.behind_bytes = 4096;
  r.sources = {source};
  SinkReport sink;
  sink.name = "archive";
  sink.state = "sending";
  sink.backlog = {120, 14'000};
  sink.oldest_age = 12s;
  sink.claims = sink.in_flight = 2;
  sink.delivered = {1'234'447, 125'986'000};
  sink.last_delivery = before(42s);
  r.sinks = {sink};
  r.buffer.used = 118u << 20;
  r.buffer.limit = 512u << 20;
  r.buffer.free = 394u << 20;
  r.buffer.allocated = 130u << 20;
  r.buffer.disk_free = 12ull << 30;
  r.buffer.when_full = "block";
  r.buffer.full_in = 76h;
  r.buffer.compression = 8.18;
  r.buffer.write_ratio = 0.171;
  r.buffer.writes_per_day = 1.5 * (1 << 30);
  r.buffer.last_commit = 12ms;
  r.buffer.mean_commit = 9ms;
  r.buffer.last_flush = 3ms;
  r.buffer.mean_flush = 2ms;
  r.buffer.device = "mmcblk0";
  r.buffer.device_per_day = 3.25 * (1 << 30);
  return r;
}

void expect_narrow(const std::string& screen) {
  for (std::size_t begin = 0; begin < screen.size();) {
    const std::size_t end = screen.find('\n', begin);
    const std::string line = screen.substr(begin, end - begin);
    const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // where a character begins
    });
    EXPECT_LE(columns, 80) << line;
    begin = end + 1;
  }
}

TEST(StatusScreen, Healthy) {
  const std::string screen = status_screen(healthy(), false);
  expect_narrow(screen);
  EXPECT_EQ(screen, R"screen(edgehose gw-0042: healthy   version 0.1.0, pid 1234, up 3 d 4 h

SOURCE              FILES  SINCE START         IN ALL         SIZE       BEHIND
app                    12      345,678      1,234,567    120.2 MiB        4 KiB

SINK             STATE            BACKLOG       SIZE     OLDEST     DELIVERED
archive          sending              120   13.7 KiB       12 s     1,234,447
    2 in flight, last delivery 42 s ago

BUFFER [#####...............] 23 %: 118 MiB of 512 MiB, 394 MiB free
  full in      3 d 4 h   when full: block
  on disk      130 MiB allocated, 12 GiB free
  compression  8.2 : 1
  disk writes  0.17 bytes per raw byte, about 1.5 GiB a day by this process
  whole disk   mmcblk0: about 3.2 GiB a day by all programs, journals included
  commit       12 ms last, 9 ms mean
  flush        3 ms last, 2 ms mean: of the files read, before a commit
)screen");
}

TEST(StatusScreen, ParkedSinkAndSourceThatCannotRead) {
  StatusReport r = healthy();
  r.health = Health::kDegraded;
  r.reasons = {
      "sink archive is parked: another file system is mounted at /media/usb/logs; accept it with: "
      "edgehose buffer confirm archive",
      "source app: 3 files cannot be read"};
  SinkReport& sink = r.sinks[0];
  sink.state = "parked";
  sink.last_error = "another file system is mounted at /media/usb/logs";
  sink.error_since = before(3min);
  sink.next_attempt_in = 57s;
  sink.claims = sink.queued = 3;
  sink.in_flight = 0;
  sink.dead_lettered = {3, 300};
  sink.dropped[0] = {10, 1000};
  sink.possible_duplicates = 4;
  r.sources[0].truncated_records = 5;
  r.sources[0].lost_bytes = 2048;
  r.buffer.dead_letters = 3;
  r.buffer.dead_letter_bytes = 300;
  r.buffer.dead_letter_quota = 16 << 20;
  r.sinks[0].oldest_dead_letter = before(2h);
  r.sinks[0].replaying = 2;
  r.buffer.corrupt_blocks = 1;
  r.buffer.quarantines = 2;
  r.buffer.quarantine_bytes = 34 << 20;
  r.buffer.salvaged_records = 12345;
  r.buffer.archived_blocks = 7;
  r.buffer.archived_bytes = 1 << 20;
  r.buffer.lost_records = 6;
  const std::string screen = status_screen(r, false);
  expect_narrow(screen);
  EXPECT_EQ(screen, R"screen(edgehose gw-0042: degraded   version 0.1.0, pid 1234, up 3 d 4 h
  ! sink archive is parked: another file system is mounted at /media/usb/logs;
    accept it with: edgehose buffer confirm archive
  ! source app: 3 files cannot be read

SOURCE              FILES  SINCE START         IN ALL         SIZE       BEHIND
app                    12      345,678      1,234,567    120.2 MiB        4 KiB
    5 truncated, 2 KiB lost unread

SINK             STATE            BACKLOG       SIZE     OLDEST     DELIVERED
archive          parked               120   13.7 KiB       12 s     1,234,447
    error since 3 m ago: see above; next attempt in 57 s
    3 waiting to be sent, last delivery 42 s ago, 3 dead letters (300 B, oldest
    2 h ago), 2 of them to be delivered again, 10 dropped (buffer_full), 4
    possibly twice

BUFFER [#####...............] 23 %: 118 MiB of 512 MiB, 394 MiB free
  full in      3 d 4 h   when full: block
  on disk      130 MiB allocated, 12 GiB free
  compression  8.2 : 1
  disk writes  0.17 bytes per raw byte, about 1.5 GiB a day by this process
  whole disk   mmcblk0: about 3.2 GiB a day by all programs, journals included
  commit       12 ms last, 9 ms mean
  flush        3 ms last, 2 ms mean: of the files read, before a commit
  dead letters 3, 300 B of 16 MiB
  damaged      1 block since start, 2 buffers kept aside (34 MiB)
  salvaged     12,345 records in all; 6 lost, or read again from files
               7 blocks (1 MiB) are in the damaged file
)screen");
}

TEST(StatusScreen, WithoutAnAgent) {
  StatusReport r = healthy();
  r.running = false;
  r.health = Health::kDown;
  r.reasons = {"the agent is not running"};
  r.notes = {
      "sink old is not in the config; its 7 records yield first (edgehose buffer forget old)"};
  r.sinks[0].state = "";
  r.sinks[0].last_delivery = WallTime{};
  SinkReport old;
  old.name = "old";
  old.configured = false;
  old.backlog = {7, 700};
  r.sinks.push_back(old);
  r.buffer.full_in.reset();
  r.buffer.compression.reset();
  r.buffer.write_ratio.reset();
  r.buffer.writes_per_day.reset();
  r.buffer.device_per_day.reset();
  r.sinks[0].in_flight = 0;
  const std::string screen = status_screen(r, false);
  expect_narrow(screen);
  EXPECT_EQ(screen, R"screen(edgehose gw-0042: down   read from the buffer in /var/lib/edgehose
  ! the agent is not running
  - sink old is not in the config; its 7 records yield first (edgehose buffer
    forget old)

SOURCE                    IN ALL         SIZE
app                    1,234,567    120.2 MiB

SINK             STATE            BACKLOG       SIZE     OLDEST     DELIVERED
archive          -                    120   13.7 KiB       12 s     1,234,447
    2 batches begun, nothing delivered yet
old              no config              7      700 B          -             0
    nothing delivered yet

BUFFER [#####...............] 23 %: 118 MiB of 512 MiB, 394 MiB free
  full in      not foreseeable   when full: block
  on disk      130 MiB allocated, 12 GiB free
)screen");
}

TEST(StatusScreen, WhatTheDestinationHasTakenIsToldApart) {
  StatusReport r = healthy();
  r.sinks[0].in_flight = 1;
  r.sinks[0].unacknowledged = 12;
  r.sinks[0].claims = 13;
  const std::string screen = status_screen(r, false);
  expect_narrow(screen);
  EXPECT_THAT(screen, ::testing::HasSubstr("1 in flight, 12 not acknowledged there yet"));
  EXPECT_THAT(screen, ::testing::Not(::testing::HasSubstr("being acknowledged")));
}

TEST(StatusScreen, AnIdleSinkHasNothingInFlight) {
  StatusReport r = healthy();
  r.sinks[0].state = "idle";
  r.sinks[0].in_flight = 0;
  r.sinks[0].claims = 1;
  r.sinks[0].past_error = "it was away";
  r.sinks[0].past_error_at = before(12min);
  EXPECT_THAT(status_screen(r, false),
              ::testing::HasSubstr("    recovered 12 m ago from: it was away\n"
                                   "    1 batch being acknowledged, last delivery 42 s ago\n"));
  EXPECT_THAT(status_screen(r, false), ::testing::Not(::testing::HasSubstr("in flight")));
}

TEST(StatusScreen, ASinkWaitsForItsBatch) {
  StatusReport r = healthy();
  SinkReport& sink = r.sinks[0];
  sink.state = kWaiting;
  sink.claims = sink.in_flight = 0;
  sink.next_batch_in = 3min;
  EXPECT_THAT(status_screen(r, false), ::testing::HasSubstr("archive          waiting "));
  EXPECT_THAT(
      status_screen(r, false),
      ::testing::HasSubstr("\n    a batch in 3 m, or when it is full, last delivery 42 s ago\n"));
  expect_narrow(status_screen(r, false));
  sink.state = "idle";
  EXPECT_THAT(status_screen(r, false), ::testing::HasSubstr("archive          idle "));
  EXPECT_THAT(status_screen(r, false), ::testing::Not(::testing::HasSubstr("a batch in")));
}

TEST(StatusScreen, WhatIsFullIsNotAboutToBe) {
  StatusReport r = healthy();
  r.buffer.full_in = Duration::zero();
  EXPECT_THAT(status_screen(r, false), ::testing::HasSubstr("full in      now "));
}

TEST(StatusScreen, WhatALinkIsChargedForIsTold) {
  StatusReport r = healthy();
  r.sinks[0].wire_today = {3 << 20, 12 << 10};
  r.sinks[0].wire_this_month = {512 << 20, 2 << 20};
  r.sinks[0].wire_ever = {1 << 30, 4 << 20};
  EXPECT_THAT(
      status_screen(r, false),
      testing::HasSubstr(
          "\n    on the wire today 3 MiB out, 12 KiB in; this month 512 MiB out, 2 MiB in\n"));
  r.sinks[0].wire_ever = {};
  EXPECT_THAT(status_screen(r, false), testing::Not(testing::HasSubstr("on the wire")));
}

TEST(StatusScreen, BeforeTheFirstLookNobodyKnowsHowManyFilesThereAre) {
  StatusReport r = healthy();
  r.sources[0].files = 0;
  EXPECT_THAT(status_screen(r, false), ::testing::HasSubstr("app                     -  "));
  r.sources[0].problem = "no file matches /var/log/app/*.log";
  EXPECT_THAT(status_screen(r, false), ::testing::HasSubstr("app                     0  "));
}

TEST(StatusScreen, NothingAtAll) {
  StatusReport r;
  const std::string screen = status_screen(r, false);
  expect_narrow(screen);
  EXPECT_THAT(screen, ::testing::HasSubstr("none\n"));
  EXPECT_THAT(screen, ::testing::HasSubstr("0 %: 0 B of 0 B"));
}

TEST(StatusScreen, ColoursAreOnlyWhereTheyAreWanted) {
  StatusReport r = healthy();
  r.sinks[0].state = "backing off";
  EXPECT_EQ(status_screen(r, false).find('\033'), std::string::npos);
  EXPECT_THAT(status_screen(r, true), ::testing::HasSubstr("\033[32mhealthy\033[0m"));
  EXPECT_THAT(status_screen(r, true), ::testing::HasSubstr("\033[33mbacking off\033[0m "));
}

TEST(StatusScreen, WordsOfOthersCannotMoveTheCursor) {
  StatusReport r = healthy();
  r.agent = "a\033[2J";
  r.reasons = {"x\033[31my"};
  r.sinks[0].last_error = "\rroot";
  EXPECT_EQ(status_screen(r, false).find_first_of("\033\r"), std::string::npos);
}

TEST(StatusScreen, EveryLineFitsWhateverNamesAndErrorsAre) {
  std::mt19937 random(7);
  const auto word = [&] {
    constexpr std::string_view kParts[] = {"a", "/", " ", "é", "_", "object.log.zst", "\033"};
    std::string text;
    for (auto n = random() % 200; n > 0; --n) text += kParts[random() % std::size(kParts)];
    return text;
  };
  for (int round = 0; round < 1000; ++round) {
    StatusReport r = healthy();
    r.running = random() % 2 == 0;
    r.agent = word(), r.version = word(), r.data_dir = word();
    r.sources[0].name = word(), r.sinks[0].name = word();
    r.sources[0].configured = r.sinks[0].configured = random() % 2 == 0;
    r.sinks[0].state = "parked";
    r.sinks[0].last_error = word();
    r.sinks[0].next_attempt_in = 57s;
    r.sinks[0].wire_ever = r.sinks[0].wire_this_month = {random(), ~std::uint64_t{0}};
    r.reasons = {word(), "sink x is parked: " + r.sinks[0].last_error};
    r.notes = {word()};
    expect_narrow(status_screen(r, false));
  }
}

TEST(StatusScreen, LargeNumbersAndLongNamesStayInTheirColumns) {
  StatusReport r = healthy();
  r.agent = std::string(200, 'a');
  r.sources[0].name = r.sinks[0].name = std::string(200, 'n');
  r.sinks[0].backlog = {99'999'999, 900ull << 30};
  r.sinks[0].oldest_age = 400 * 24h;
  expect_narrow(status_screen(r, false));
}

}  // namespace
}  // namespace edgehose
