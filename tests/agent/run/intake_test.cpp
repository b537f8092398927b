// Intake with the real store, a scripted source, a scripted courier and a clock of its own.
#include "agent/run/intake.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "agent/base/check.h"
#include "buffer/block_header.h"

namespace edgehose {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class ScriptedSource final : public Source {
 public:
  explicit ScriptedSource(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  int fd() const override { return -1; }
  DrainResult drain(RecordSink& out) override {
    if (on_drain) on_drain();
    DrainResult result;
    if (out.full()) ++looks;
    result.next = next;
    while (!lines.empty() && !out.full()) {
      NewRecord record;
      record.body = lines.front();
      record.file = FileId{1};
      record.begin = offset;
      record.end = offset += lines.front().size() + 1;
      out.append(record);
      lines.pop_front();
      ++drained;
    }
    result.more = !lines.empty();
    result.urgent = urgent && drained > 0;
    return result;
  }
  Status before_commit() override {
    if (on_sync) on_sync();
    return {};
  }
  Status checkpoint(Store::Transaction& transaction) override {
    FileState state;
    state.path = "/log";
    state.offset = offset;
    return transaction.put_file(FileId{1}, state);
  }
  void settled(bool committed) override { committed ? ++commits : ++aborts; }
  bool caught_up() const override { return lines.empty(); }
  Duration commit_patience(Duration limit) const override { return std::min(limit, patience); }
  SourceHealth health() const override {
    SourceHealth health;
    health.read_records = drained;
    return health;
  }

  std::deque<std::string> lines;
  std::uint64_t offset = 0;
  Instant next = kNever;
  unsigned drained = 0, looks = 0, commits = 0, aborts = 0;
  bool urgent = false;
  Duration patience = std::chrono::hours(1);
  std::function<void()> on_drain, on_sync;

 private:
  const std::string name_;
};

class PlainSink final : public Sink {
 public:
  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& b, const std::string& note) const override {
    return fmt::format("{}{}-{}-{}{}", note, b.source, b.first.value, b.last.value,
                       b.replay.empty() ? "" : "-replay-" + b.replay);
  }
  std::string rendering() const override { return "r"; }
  Request request(const Batch&, const std::string&, std::shared_ptr<ByteSource>) const override {
    return FileRequest{};
  }
  Verdict judge(const Batch&, const Response&) const override { return Delivered{}; }
  std::optional<std::string> learn(const std::string&, const Response&) const override {
    return {};
  }

 private:
  const std::string name_ = "archive";
};

class IntakeTest : public testing::Test {
 protected:
  IntakeTest() {
    std::string pattern = testing::TempDir() + "intake.XXXXXX";
    EH_CHECK(mkdtemp(pattern.data()) != nullptr);
    store_options_.directory = pattern;
    store_options_.free_disk_percent = 0;
    options_.commit_limit = seconds(60);
  }
  ~IntakeTest() override {
    intake_.reset();
    store_.reset();
    std::filesystem::remove_all(store_options_.directory);
  }

  void start() {
    auto store = Store::open(store_options_, clock_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    auto source = std::make_unique<ScriptedSource>("app");
    source_ = source.get();
    std::vector<std::unique_ptr<Source>> sources;
    sources.push_back(std::move(source));
    SinkLink link;
    link.config.name = sink_name_;
    link.config.inputs = inputs_;
    link.config.batch = batch_;
    link.sink = std::make_shared<PlainSink>();
    std::vector<SinkLink> links;
    links.push_back(link);
    if (second_batch_) {
      link.config.name = "second";
      link.config.batch = *second_batch_;
      links.push_back(link);
    }
    intake_ = std::make_unique<Intake>(*store_, clock_, waker_, options_, std::move(sources),
                                       std::move(links));
    ASSERT_TRUE(intake_->connect(sink_name_, claims_, holds_));
    if (second_batch_) {
      ASSERT_TRUE(intake_->connect("second", second_claims_, holds_));
    }
    intake_->connect_operator(outcomes_,
                              {true, [this](std::string_view name) { return name == sink_name_; },
                               [](std::string_view name) { return name == "app"; },
                               [](std::string_view path) { return path == "/log"; }});
    const Status started = intake_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void crash() {  // nothing in memory survives
    intake_.reset();
    store_.reset();
    claims_.take();
  }
  void lines(unsigned count, std::size_t bytes = 100) {
    for (unsigned i = 0; i < count; ++i) {
      std::string line = fmt::format("line {} ", written_++);
      line.resize(bytes - 1, 'x');
      source_->lines.push_back(std::move(line));
    }
  }
  void settle(const Claim& claim) {
    intake_->inbox().post(Settled{claim.lane.sink, Acknowledgement{claim.id, {}, 0, {}}, 1});
  }
  // Steps until intake would sleep, never letting time pass.
  void run() {
    for (int i = 0; i < 1000 && intake_->step() <= clock_.now(); ++i) {
    }
  }
  LaneState lane() {
    auto lanes = store_->lanes();
    EH_CHECK(lanes && lanes->size() == 1);
    return lanes->front();
  }

  ManualClock clock_;
  StoreOptions store_options_;
  IntakeOptions options_;
  BatchConfig batch_{8 << 20, minutes(5)};
  std::unique_ptr<Store> store_;
  Waker waker_;
  Waker courier_waker_;
  Mailbox<Claim> claims_{courier_waker_};
  Mailbox<std::string> holds_{courier_waker_};
  Mailbox<ChangeOutcome> outcomes_{courier_waker_};
  std::unique_ptr<Intake> intake_;
  ScriptedSource* source_ = nullptr;
  unsigned written_ = 0;
  std::string sink_name_ = "archive";
  std::vector<std::string> inputs_;
  std::optional<BatchConfig> second_batch_;  // of a second sink
  Mailbox<Claim> second_claims_{courier_waker_};

  // Lines that do not compress, so that a small buffer fills.
  void dense_lines(unsigned count) {
    std::srand(7);
    for (unsigned i = 0; i < count; ++i) {
      std::string line;
      for (int k = 0; k < 60; ++k) line.push_back(static_cast<char>('!' + std::rand() % 90));
      source_->lines.push_back(std::move(line));
    }
  }
  // Settles what is claimed until nothing more comes; the number of records.
  std::uint64_t deliver_all() {
    std::uint64_t records = 0;
    for (int idle = 0; idle < 20;) {
      const std::vector<Claim> claims = claims_.take();
      idle = claims.empty() ? idle + 1 : 0;
      for (const Claim& claim : claims) {
        records += claim.size.records;
        settle(claim);
      }
      run();
      clock_.advance(seconds(5));
    }
    return records;
  }
};

TEST_F(IntakeTest, RecordsWaitForTheProfilesLimitAndCommitWithTheirPosition) {
  start();
  lines(10);
  run();
  EXPECT_EQ(source_->commits, 0u);
  clock_.advance(seconds(59));
  run();
  EXPECT_EQ(source_->commits, 0u);
  clock_.advance(seconds(1));
  run();
  EXPECT_EQ(source_->commits, 1u);
  EXPECT_EQ(lane().committed, (Counter{10, 1000}));
  const auto file = store_->file(FileId{1});
  ASSERT_TRUE(file && *file);
  EXPECT_EQ((*file)->offset, 1000u);
}

TEST_F(IntakeTest, UrgentSourcesCommitAtOnce) {
  start();
  source_->urgent = true;
  lines(1);
  run();
  EXPECT_EQ(source_->commits, 1u);
}

TEST_F(IntakeTest, VolumeCommitsWholeBlocks) {
  start();
  lines(80'000);  // 8 MB
  run();
  EXPECT_GE(source_->commits, 3u);
  for (auto block = store_->next_block(SourceId{}, BlockNumber{}); block && *block;
       block = store_->next_block(SourceId{}, (*block)->number + 1))
    EXPECT_FALSE((*block)->mini);
}

TEST_F(IntakeTest, ARipeBatchPullsTheCommitAndItsClaimRidesIt) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(seconds(5));
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].key, "app-1-10");
  EXPECT_EQ(source_->commits, 1u);
  EXPECT_EQ(intake_->status().read().commits, 1u);
}

TEST_F(IntakeTest, ABatchIsOnItsWayBeforeItsAge) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(milliseconds(4740));
  run();
  EXPECT_TRUE(claims_.take().empty());
  clock_.advance(milliseconds(10));
  run();
  EXPECT_EQ(claims_.take().size(), 1u);
}

// Every page of a commit is 4 KiB of flash: a delivered block leaves the leaf before the next
// comes.
TEST_F(IntakeTest, ATrickleOfSmallBatchesKeepsToOneLeaf) {
  batch_.max_age = seconds(5);
  start();
  for (int batch = 0; batch < 20; ++batch) {
    dense_lines(30);
    run();
    clock_.advance(seconds(5));
    run();
    settle(claims_.take().at(0));
    EXPECT_EQ(intake_->status().read().commits, static_cast<std::uint64_t>(batch) + 1);
    if (batch < 2) continue;  // the first commits of a new file
    EXPECT_LE(store_->usage().used, 4u * 4096) << "two meta pages, one leaf, one of the free list";
  }
}

TEST_F(IntakeTest, SettledClaimsAreDeliveredOnceAcrossARestart) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(seconds(5));
  run();
  Claim claim = claims_.take().at(0);
  crash();
  start();
  std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, claim.key);
  EXPECT_EQ(resumed[0].first, claim.first);
  EXPECT_EQ(resumed[0].last, claim.last);
  settle(resumed[0]);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(lane().delivered, (Counter{10, 1000}));
  EXPECT_EQ(lane().buffered(), Counter{});
  crash();
  start();
  EXPECT_TRUE(claims_.take().empty());
}

TEST_F(IntakeTest, AnAcknowledgementAloneWaitsItsLimit) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(seconds(5));
  run();
  settle(claims_.take().at(0));
  run();
  EXPECT_EQ(lane().delivered.records, 0u);
  clock_.advance(seconds(30));
  run();
  EXPECT_EQ(lane().delivered.records, 10u);
}

TEST_F(IntakeTest, AtMostTheWindowIsClaimedAndASettlementFreesTheNext) {
  batch_.max_size = 4096;  // as stored; the lines compress well
  start();
  for (int round = 0; round < 6; ++round) {
    lines(3000);
    run();
    clock_.advance(seconds(60));
    run();
  }
  std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 2u);  // concurrency
  settle(claims[0]);
  run();
  std::vector<Claim> next = claims_.take();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].first, claims[1].last + 1);
}

TEST_F(IntakeTest, ATooLargeClaimIsHalvedWithExactSizes) {
  batch_.max_age = seconds(5);
  start();
  lines(9);
  run();
  clock_.advance(seconds(5));
  run();
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Halve{claim.lane.sink, claim.id, 0});
  run();
  const std::vector<Claim> halves = claims_.take();
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].first, Sequence{1});
  EXPECT_EQ(halves[0].last, Sequence{4});
  EXPECT_EQ(halves[1].first, Sequence{5});
  EXPECT_EQ(halves[1].last, Sequence{9});
  EXPECT_EQ(halves[0].size, (Counter{4, 400}));
  EXPECT_EQ(halves[1].size, (Counter{5, 500}));
  EXPECT_EQ(halves[0].end, halves[1].begin);
  settle(halves[1]);  // out of order
  settle(halves[0]);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(lane().delivered, (Counter{9, 900}));
}

TEST_F(IntakeTest, BlockStopsReadingAndLosesNothing) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kBlock;
  batch_.max_size = 64 << 10;
  start();
  dense_lines(200'000);
  run();
  EXPECT_TRUE(intake_->status().read().blocked);
  EXPECT_FALSE(source_->lines.empty());
  // Delivering makes room; in the end every record has come through, in order.
  Sequence expected{1};
  for (int round = 0; round < 20'000 && expected.value <= 200'000; ++round) {
    for (const Claim& claim : claims_.take()) {
      EXPECT_EQ(claim.first, expected);
      expected = claim.last + 1;
      settle(claim);
    }
    run();
    clock_.advance(seconds(5));
  }
  EXPECT_EQ(expected, Sequence{200'001});
}

TEST_F(IntakeTest, AFullBufferKeepsSourcesLooking) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kBlock;
  start();
  dense_lines(200'000);
  source_->next = Instant{};  // something is overdue in it, always
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  const unsigned drained = source_->drained;
  source_->looks = 0;
  for (int i = 0; i < 600; ++i) {
    clock_.advance(std::chrono::milliseconds(100));
    run();
  }
  EXPECT_EQ(source_->drained, drained);
  EXPECT_GE(source_->looks, 50u);
  EXPECT_LE(source_->looks, 61u) << "it would spin";
}

TEST_F(IntakeTest, AFullBufferMakesWhatItHoldsRipe) {
  store_options_.max_size = 2 << 20;  // far below a batch's 8 MiB, and nothing is old
  batch_.max_age = std::chrono::hours(24);
  start();
  dense_lines(400'000);
  run();
  EXPECT_GT(deliver_all(), 360'000u);  // the rest waits for its age
  EXPECT_TRUE(source_->lines.empty());
}

TEST_F(IntakeTest, ASinkThatLeftTheConfigYieldsEvenUnderBlock) {
  store_options_.max_size = 2 << 20;
  batch_.max_size = 64 << 10;
  sink_name_ = "gone";
  start();
  dense_lines(20'000);
  run();
  clock_.advance(minutes(2));
  run();  // claimed by a sink that never answers
  crash();
  sink_name_ = "archive";
  start();
  dense_lines(200'000);
  run();
  const std::uint64_t delivered = deliver_all();
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_GE(delivered, 200'000u);
  const auto lanes = store_->lanes();
  ASSERT_TRUE(lanes && lanes->size() == 2);
  EXPECT_GT(lanes->at(0).dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  EXPECT_EQ(lanes->at(1).dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
}

TEST_F(IntakeTest, ASourceTakenOutOfInputsIsNotDeliveredAnyMore) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  crash();
  inputs_ = {"another"};
  start();
  lines(10);
  EXPECT_EQ(deliver_all(), 0u);
}

TEST_F(IntakeTest, WhatIsCutAlreadyIsDeliveredThoughInputsLeftItsSource) {
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  clock_.advance(seconds(5));
  run();
  const std::string key = claims_.take().at(0).key;
  crash();
  inputs_ = {"another"};
  options_.flush = true;
  start();
  lines(10);
  run();
  EXPECT_FALSE(intake_->complete());
  const std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, key);
  settle(resumed[0]);
  run();
  EXPECT_TRUE(intake_->complete());
  EXPECT_EQ(lane().delivered.records, 10u);
  EXPECT_EQ(lane().buffered().records, 10u);
}

TEST_F(IntakeTest, DropNewestCountsWhatItDoesNotTake) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropNewest;
  start();
  dense_lines(100'000);
  for (int i = 0; i < 4; ++i) {  // waits for room; drops; commits the rest
    run();
    clock_.advance(minutes(2));
  }
  const auto sources = store_->sources();
  ASSERT_TRUE(sources);
  EXPECT_GT(sources->at(0).not_taken.records, 0u);
  EXPECT_EQ(sources->at(0).not_taken.records + sources->at(0).committed.records, 100'000u);
}

TEST_F(IntakeTest, DropOldestSkipsWhatIsClaimedAndCounts) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropOldest;
  batch_.max_size = 64 << 10;
  start();
  dense_lines(200'000);
  for (int i = 0; i < 100; ++i) {
    run();
    clock_.advance(seconds(61));
  }
  EXPECT_TRUE(source_->lines.empty());
  const LaneState state = lane();
  EXPECT_EQ(state.committed.records, 200'000u);
  EXPECT_GT(state.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  const std::vector<Claim> claims = claims_.take();
  ASSERT_FALSE(claims.empty());
  EXPECT_EQ(claims[0].first, Sequence{1});  // claimed early, and still there
  const auto first = store_->next_block(SourceId{}, BlockNumber{});
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->first, Sequence{1});
}

// More blocks than one transaction drops, and no sink that takes any.
TEST_F(IntakeTest, DropOldestComesDownToALimitThatWasLowered) {
  options_.when_full = WhenFull::kDropOldest;
  batch_.max_size = 16 << 10;
  start();
  lines(1);
  run();
  clock_.advance(minutes(2));
  run();
  const SourceId app = store_->sources()->at(0).id;
  auto transaction = store_->begin();
  for (int i = 0; i < 9000; ++i) {
    BlockBuilder builder(app);
    NewRecord record;
    const std::string body(kMiniRawBytes + 1, 'x');
    record.body = body;
    builder.append(record);
    ASSERT_TRUE((*transaction)->append(builder.take()));
  }
  ASSERT_TRUE((*transaction)->commit());
  transaction->reset();
  crash();
  store_options_.max_size = 1 << 20;
  start();
  ASSERT_GT(store_->usage().used, 2u << 20);
  source_->urgent = true;
  lines(1);
  for (int i = 0; i < 4; ++i) {
    run();
    clock_.advance(seconds(6));
  }
  EXPECT_FALSE(intake_->status().read().blocked);
  EXPECT_GE(source_->commits, 1u);
  EXPECT_LE(store_->usage().used, store_options_.max_size);
  EXPECT_EQ(lane().committed.records, 9002u);
}

TEST_F(IntakeTest, ALoweredLimitIsDrainedToUnderBlock) {
  store_options_.max_size = 30 << 20;
  batch_ = {1 << 20, seconds(5)};
  start();
  dense_lines(900'000);
  run();
  ASSERT_TRUE(intake_->status().read().blocked);
  const std::uint64_t held = lane().buffered().records;
  crash();
  store_options_.max_size = 4 << 20;
  start();
  dense_lines(1000);
  run();
  EXPECT_EQ(deliver_all(), held + 1000);
  EXPECT_EQ(lane().buffered(), Counter{});
}

TEST_F(IntakeTest, AHealthySinkLosesNothingUnderPoliciesThatDrop) {
  store_options_.max_size = 2 << 20;
  batch_ = {8 << 20, hours(1)};  // never ripe by its size: the buffer is full before
  for (const WhenFull policy : {WhenFull::kDropOldest, WhenFull::kDropNewest}) {
    options_.when_full = policy;
    start();
    dense_lines(200'000);
    deliver_all();
    EXPECT_TRUE(source_->lines.empty());
    const LaneState state = lane();
    EXPECT_EQ(state.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
    EXPECT_EQ(store_->sources()->at(0).not_taken.records, 0u);
    EXPECT_EQ(state.delivered.records + state.buffered().records, state.committed.records);
    crash();
  }
}

// Its cursor moves with what is dropped, although nothing of it is claimed: so must its next batch.
TEST_F(IntakeTest, AnIdleSinkGoesOnWhereADeadOneFillsTheBuffer) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropOldest;
  batch_ = {64 << 10, hours(1)};
  second_batch_ = BatchConfig{8 << 20, hours(1)};
  start();
  dense_lines(200'000);
  std::uint64_t delivered = 0;
  for (int i = 0, idle = 0; i < 400 && idle < 60; ++i) {
    run();
    idle = source_->lines.empty() ? idle + 1 : 0;
    for (const Claim& claim : second_claims_.take()) {
      delivered += claim.size.records;
      settle(claim);
    }
    ASSERT_EQ(intake_->status().read().problem, "");
    clock_.advance(seconds(2));
  }
  EXPECT_TRUE(source_->lines.empty());
  EXPECT_GT(delivered, 0u);
  for (const LaneState& lane : *store_->lanes()) {
    EXPECT_EQ(lane.committed.records, 200'000u);
    EXPECT_GT(lane.dropped[static_cast<std::size_t>(DropReason::kBufferFull)].records, 0u);
  }
}

TEST_F(IntakeTest, DropsThatNoLineToldYetAreToldAtTheStop) {
  store_options_.max_size = 2 << 20;
  options_.when_full = WhenFull::kDropNewest;
  start();
  dense_lines(100'000);
  testing::internal::CaptureStderr();
  run();
  clock_.advance(seconds(5));  // no sink makes room
  run();
  intake_->step();
  ASSERT_TRUE(intake_->stop());
  const std::string log = testing::internal::GetCapturedStderr();
  std::uint64_t told = 0;
  constexpr std::string_view kBefore = "buffer: full, ";
  for (std::size_t at = 0; (at = log.find(kBefore, at)) != std::string::npos;) {
    at += kBefore.size();
    if (log.compare(at, 7, "sources") == 0) continue;  // "sources wait", before it drops
    std::string number = log.substr(at, log.find(' ', at) - at);
    std::erase(number, ',');
    told += std::stoull(number);
  }
  const auto sources = store_->sources();
  ASSERT_TRUE(sources);
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told, sources->at(0).not_taken.records) << log;
}

// --- what status shows ---------------------------------------------------------------------------

TEST_F(IntakeTest, WhatChangedIsShownWithinASecondAndNothingWakesItAfter) {
  start();
  const auto shown = [&] { return intake_->status().read().sources.at(0).read_records; };
  lines(1);
  run();
  EXPECT_EQ(shown(), 1u) << "the first look's at once";
  lines(4);
  run();
  EXPECT_EQ(shown(), 1u) << "one a second at most";
  const Instant next = intake_->step();
  EXPECT_LE(next, clock_.now() + seconds(1));
  clock_.advance(next - clock_.now());
  run();
  EXPECT_EQ(shown(), 5u);
  EXPECT_GT(intake_->step(), clock_.now() + seconds(10)) << "nothing changes: asleep";
}

// --- the watchdog's view -------------------------------------------------------------------------

TEST_F(IntakeTest, BeatsBetweenThePiecesOfLongWork) {
  start();
  std::vector<Duration> heard;
  source_->on_drain = [&] {
    heard.push_back(intake_->heartbeat().silence(clock_.now()));
    clock_.advance(seconds(90));  // a slow disk
  };
  source_->on_sync = [&] {
    heard.push_back(intake_->heartbeat().silence(clock_.now()));
    clock_.advance(seconds(90));
  };
  lines(10);
  source_->urgent = true;
  intake_->step();
  EXPECT_EQ(heard, (std::vector<Duration>{Duration{}, Duration{}}));
  EXPECT_EQ(intake_->heartbeat().silence(clock_.now()), Duration{}) << "before the flush";
}

// --- a buffer that is taken away under the agent -------------------------------------------------

TEST_F(IntakeTest, ADeletedBufferIsPutBackWithEverythingInIt) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  lines(7);
  run();  // read, pending
  std::filesystem::remove_all(store_options_.directory);
  clock_.advance(seconds(61));
  run();
  EXPECT_EQ(intake_->status().read().displaced, "");
  crash();
  start();
  EXPECT_EQ(lane().committed.records, 107u);
  EXPECT_EQ(store_->file(FileId{1})->value().offset, 100 * 100 + 700);
}

TEST_F(IntakeTest, AMovedBufferIsWaitedForAndNothingIsTakenMeanwhile) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  lines(7);
  const std::string away = store_options_.directory + ".away";
  std::filesystem::rename(store_options_.directory, away);
  clock_.advance(seconds(31));
  run();
  EXPECT_NE(intake_->status().read().displaced.find("moved away"), std::string::npos);
  EXPECT_FALSE(intake_->status().read().nothing_held);
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u) << "what is held goes out at once";
  settle(claims[0]);
  run();
  clock_.advance(std::chrono::minutes(2));
  run();
  EXPECT_TRUE(intake_->status().read().nothing_held);
  EXPECT_FALSE(intake_->status().read().blocked) << "it has room";
  EXPECT_EQ(lane().committed.records, 100u);
  std::filesystem::rename(away, store_options_.directory);
  clock_.advance(seconds(6));
  run();
  EXPECT_EQ(intake_->status().read().displaced, "");
  clock_.advance(seconds(61));
  run();
  EXPECT_EQ(lane().committed.records, 107u);
}

TEST_F(IntakeTest, AMovedBufferIsGivenUpAfterTenMinutesIfItHoldsNothing) {
  start();
  lines(100);
  run();
  clock_.advance(seconds(61));
  run();
  std::filesystem::rename(store_options_.directory, store_options_.directory + ".away");
  clock_.advance(seconds(31));
  run();
  const auto given_up = [&] { return intake_->status().read().given_up(clock_.now()); };
  clock_.advance(std::chrono::minutes(11));
  run();
  EXPECT_FALSE(given_up()) << "what it holds is not delivered";
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  settle(claims[0]);
  run();
  clock_.advance(std::chrono::minutes(1));
  run();
  EXPECT_TRUE(given_up());
  EXPECT_FALSE(intake_->status().read().given_up(intake_->status().read().displaced_since +
                                                 std::chrono::minutes(10) - seconds(1)));
  std::filesystem::rename(store_options_.directory + ".away", store_options_.directory);
  clock_.advance(seconds(6));
  run();
  EXPECT_FALSE(given_up()) << "it is back";
}

TEST_F(IntakeTest, ABlockWithADamagedHeaderStopsNothing) {
  start();
  for (int block = 0; block < 3; ++block) {
    dense_lines(3000);  // of which some are in a block of their own
    run();
    clock_.advance(seconds(61));
    run();
  }
  const std::string path = store_options_.directory + "/buffer.mdb";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  const BlockNumber first = store_->next_block(SourceId{}, {})->value().number;
  const auto second = store_->next_block(SourceId{}, first + 1);
  ASSERT_TRUE(second && *second);
  constexpr std::size_t kNumberAt = 32;
  unsigned bent = 0;
  file.clear();
  for (std::size_t at = 0; (at = all.find(kBlockMagic, at)) != std::string::npos; ++at) {
    if (static_cast<unsigned char>(all[at + kNumberAt]) != (*second)->number.value) continue;
    file.seekp(static_cast<std::streamoff>(at + 20)).put(static_cast<char>(~all[at + 20])).flush();
    ++bent;
  }
  ASSERT_GT(bent, 0u);
  clock_.advance(minutes(10));
  run();
  EXPECT_GT(deliver_all(), 5'000u);
  EXPECT_EQ(intake_->status().read().problem, "");
}

TEST_F(IntakeTest, OnceIsCompleteWhenAllIsAcknowledged) {
  options_.flush = true;
  start();
  lines(10);
  run();
  EXPECT_FALSE(intake_->complete());
  for (const Claim& claim : claims_.take()) settle(claim);
  run();
  EXPECT_TRUE(intake_->complete());
  EXPECT_TRUE(intake_->status().read().complete);
}

TEST_F(IntakeTest, AClaimWithARefusedKeyIsCutAnewUnderAnother) {
  batch_.max_age = seconds(5);
  start();
  lines(9);
  run();
  clock_.advance(seconds(5));
  run();
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Learned{claim.lane.sink, "portable "});
  intake_->inbox().post(Rekey{claim.lane.sink, claim.id, "safe-1-9"});
  run();
  const std::vector<Claim> anew = claims_.take();
  ASSERT_EQ(anew.size(), 1u);
  EXPECT_EQ(anew[0].key, "safe-1-9");
  EXPECT_EQ(anew[0].size, claim.size);
  EXPECT_NE(anew[0].id, claim.id);
  crash();  // persisted, and the old one is gone
  start();
  const std::vector<Claim> resumed = claims_.take();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].key, "safe-1-9");
  EXPECT_TRUE(resumed[0].resumed);
  settle(resumed[0]);
  lines(1);
  run();
  clock_.advance(seconds(60));
  run();
  EXPECT_EQ(claims_.take().at(0).key, "portable app-10-10")
      << "what the sink learned names the next";
}

// One refused batch holds the sink back, whatever else of it can be acknowledged.
TEST_F(IntakeTest, ASinkWhoseDeadLettersAreFullStaysHeldBack) {
  store_options_.dead_letter_quota = 64;
  batch_ = {2048, seconds(5)};  // as stored; the lines compress well
  start();
  lines(3000);
  run();
  clock_.advance(seconds(5));
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 2u);
  DeadLetter letter;
  letter.lane = claims[0].lane;
  letter.sequence = claims[0].first;
  letter.body = std::string(99, 'x');
  intake_->inbox().post(
      Settled{claims[0].lane.sink, Acknowledgement{claims[0].id, {letter}, 0, {}}, 1});
  settle(claims[1]);
  run();
  clock_.advance(seconds(60));
  run();
  const std::vector<std::string> told = holds_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_FALSE(told[0].empty());
  EXPECT_TRUE(claims_.take().empty());
}

// --- by hand -------------------------------------------------------------------------------------

class OperatorTest : public IntakeTest {
 protected:
  // Ten records, of which the sink refused these for good.
  void refuse(std::vector<std::uint64_t> sequences) {
    batch_.max_age = seconds(5);
    start();
    lines(10);
    run();
    clock_.advance(seconds(5));
    run();
    const Claim claim = claims_.take().at(0);
    Settled settled{claim.lane.sink, {claim.id, {}, 0, {}}, 1};
    for (const std::uint64_t sequence : sequences) {
      DeadLetter letter;
      letter.sequence = Sequence(sequence);
      letter.attempts = 1;
      letter.reason = "bad date";
      letter.body = std::string(99, 'x');
      settled.ack.dead.push_back(letter);
    }
    intake_->inbox().post(settled);
    run();
    clock_.advance(seconds(60));
    run();
    expect_equation(sequences.size());
  }
  Result<ChangeReport> ask(const ControlChange& change) {
    intake_->changes().post({7, change});
    run();
    auto outcomes = outcomes_.take();
    EH_CHECK(outcomes.size() == 1 && outcomes[0].ticket == 7);
    return outcomes[0].report;
  }
  void settle_replay(const Claim& claim, std::vector<DeadLetter> refused = {}) {
    Settled settled{claim.lane.sink, {claim.id, std::move(refused), 0, {}}, 1};
    intake_->inbox().post(settled);
    run();
  }
  void expect_equation(std::uint64_t dead) {
    EXPECT_EQ(lane().committed, (Counter{10, 1000}));
    EXPECT_EQ(lane().buffered(), Counter{});
    EXPECT_EQ(lane().dead_lettered, (Counter{dead, 100 * dead}));
    EXPECT_EQ(lane().delivered, (Counter{10 - dead, 1000 - 100 * dead}));
  }
};

TEST_F(OperatorTest, AReplayIsDeliveredUnderAKeyOfItsOwnAndMovesTheCounters) {
  refuse({3, 5, 9});
  const auto asked = ask(ReplayLetters{});
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->text, "3 records will be delivered again, in 1 batch.");
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_TRUE(claims[0].replay());
  EXPECT_TRUE(claims[0].key.starts_with("app-3-9-replay-")) << claims[0].key;
  EXPECT_EQ(claims[0].rendering, "r");
  expect_equation(3);
  settle_replay(claims[0]);
  expect_equation(0);
  EXPECT_EQ(store_->usage().dead_letters, 0u);
  EXPECT_TRUE(store_->replays()->empty());
}

TEST_F(OperatorTest, AReplayThatACrashInterruptsComesAgainUnderItsKey) {
  refuse({3, 5});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim first = claims_.take().at(0);
  crash();
  start();
  const std::vector<Claim> again = claims_.take();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].key, first.key);
  EXPECT_EQ(again[0].letters, first.letters);
  settle_replay(again[0]);
  crash();
  start();
  EXPECT_TRUE(claims_.take().empty());
  expect_equation(0);
}

TEST_F(OperatorTest, WhatIsAskedForWithoutAnAgentBeginsAtTheNextStart) {
  refuse({3});
  crash();
  {
    auto store = Store::open(store_options_, clock_);
    ASSERT_TRUE(store);
    const ChangeContext context{false, [](auto) { return true; }, [](auto) { return true; },
                                nullptr};
    ASSERT_TRUE(apply_change(**store, ReplayLetters{}, context));
    ASSERT_TRUE((*store)->close());
  }
  start();
  run();
  const std::vector<Claim> claims = claims_.take();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_TRUE(claims[0].replay());
}

TEST_F(OperatorTest, TheSameRecordsHaveTheSameKeyAndOthersAnother) {
  refuse({3, 4, 5});
  ASSERT_TRUE(ask(ReplayLetters{{{1, 3}, ""}}));
  const Claim ends = claims_.take().at(0);
  const auto all_refused = [](const Claim& claim) {
    std::vector<DeadLetter> refused(claim.letters.size());
    for (std::size_t i = 0; i < refused.size(); ++i) {
      refused[i].id = claim.letters[i];
      refused[i].attempts = 1;
      refused[i].reason = "again";
    }
    return refused;
  };
  settle_replay(ends, all_refused(ends));
  expect_equation(3);
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim all = claims_.take().at(0);
  EXPECT_EQ(all.first, ends.first);
  EXPECT_EQ(all.last, ends.last);
  EXPECT_NE(all.key, ends.key);
  settle_replay(all, all_refused(all));
  ASSERT_TRUE(ask(ReplayLetters{{{3, 1}, ""}}));
  EXPECT_EQ(claims_.take().at(0).key, ends.key);
}

TEST_F(OperatorTest, OneReplayAtATimeUnderTheBatchLimitBesideOrdinaryClaims) {
  batch_.max_size = 250;  // two letters
  refuse({1, 2, 3, 4, 5});
  claims_.take();
  ASSERT_TRUE(ask(ReplayLetters{}));
  lines(10);
  run();
  clock_.advance(seconds(60));
  run();
  std::set<std::uint64_t> seen;
  bool ordinary = false;
  for (int round = 0; round < 20; ++round) {
    unsigned replays = 0;
    for (const Claim& claim : claims_.take()) {
      if (!claim.replay()) {
        ordinary = true;
        continue;  // a window that is full of these holds no replay up
      }
      ++replays;
      EXPECT_LE(claim.size.bytes, 250u);
      for (const std::uint64_t id : claim.letters) EXPECT_TRUE(seen.insert(id).second);
      settle_replay(claim);
    }
    EXPECT_LE(replays, 1u);
  }
  EXPECT_TRUE(ordinary);
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(store_->usage().dead_letters, 0u);
}

TEST_F(OperatorTest, TooLargeAReplayIsHalved) {
  refuse({1, 2, 3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim whole = claims_.take().at(0);
  intake_->inbox().post(Halve{whole.lane.sink, whole.id, 0});
  run();
  const std::vector<Claim> half = claims_.take();
  ASSERT_EQ(half.size(), 1u);
  EXPECT_EQ(half[0].letters.size(), 1u);
  settle_replay(half[0]);
  const std::vector<Claim> rest = claims_.take();
  ASSERT_EQ(rest.size(), 1u);
  settle_replay(rest[0]);
  expect_equation(0);
}

TEST_F(OperatorTest, AReplayThatWasRetiredMeanwhileStopsNothing) {
  refuse({1, 2, 3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim whole = claims_.take().at(0);
  {
    const auto transaction = store_->begin();
    ASSERT_TRUE((*transaction)->acknowledge({.claim = whole.id, .dead = {}, .unreadable = {}}));
    ASSERT_TRUE((*transaction)->commit());
  }
  intake_->inbox().post(Halve{whole.lane.sink, whole.id, 0});
  intake_->inbox().post(Rekey{whole.lane.sink, whole.id, "other"});
  run();
  EXPECT_EQ(intake_->status().read().problem, "");
  lines(10);
  clock_.advance(minutes(5));
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, AReplayWhoseKeyIsRefusedIsRenamed) {
  refuse({3});
  ASSERT_TRUE(ask(ReplayLetters{}));
  const Claim claim = claims_.take().at(0);
  intake_->inbox().post(Rekey{claim.lane.sink, claim.id, "safe"});
  run();
  const Claim renamed = claims_.take().at(0);
  EXPECT_EQ(renamed.key, "safe");
  EXPECT_EQ(renamed.letters, claim.letters);
  settle_replay(renamed);
  expect_equation(0);
}

TEST_F(OperatorTest, OnceIsNotCompleteBeforeItsReplays) {
  refuse({3});
  crash();
  options_.flush = true;
  start();
  ASSERT_TRUE(ask(ReplayLetters{}));
  EXPECT_FALSE(intake_->complete());
  settle_replay(claims_.take().at(0));
  EXPECT_TRUE(intake_->complete());
}

TEST_F(OperatorTest, ConfirmClearsTheNoteAndPurgeTheLetters) {
  refuse({3, 5});
  intake_->inbox().post(Learned{lane().key.sink, "stick-1"});
  run();
  EXPECT_EQ(store_->sinks()->at(0).note, "stick-1");
  EXPECT_EQ(ask(ConfirmSink{"archive"})->text, "Confirmed.");
  EXPECT_EQ(store_->sinks()->at(0).note, "");
  EXPECT_EQ(ask(ConfirmSink{"archiv"}).error().message,
            "the buffer knows no sink \"archiv\"; did you mean \"archive\"?");
  EXPECT_EQ(ask(PurgeLetters{{{1}, ""}})->text, "1 dead letter deleted.");
  EXPECT_EQ(ask(PurgeLetters{{{1}, ""}}).error().message, "there is no dead letter 1");
  EXPECT_EQ(ask(PurgeLetters{})->text, "1 dead letter deleted.");
  EXPECT_EQ(lane().dropped[static_cast<std::size_t>(DropReason::kForgotten)], (Counter{2, 200}));
  EXPECT_EQ(lane().buffered(), Counter{});
}

TEST_F(OperatorTest, WhatIsInUseIsNotForgottenAndWhatIsNotIs) {
  sink_name_ = "gone";
  batch_.max_age = seconds(5);
  start();
  lines(10);
  run();
  crash();
  sink_name_ = "archive";
  start();
  EXPECT_EQ(ask(ForgetSink{"archive"}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(ask(ForgetSource{"app"}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(ask(ForgetSink{"gone"})->text, "Forgotten.");
  EXPECT_EQ(store_->lanes()->size(), 1u);
  lines(10);
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, ASourceWithoutConfigIsForgottenBesideTheAgent) {
  start();
  {
    const SourceId old = store_->source_id("old");
    const auto transaction = store_->begin();
    BlockBuilder builder(old);
    NewRecord record;
    record.body = "left behind";
    builder.append(record);
    ASSERT_TRUE((*transaction)->append(builder.take()));
    ASSERT_TRUE((*transaction)->add_lane({store_->sink_id("archive"), old}, {}));
    ASSERT_TRUE((*transaction)->commit());
  }
  crash();
  batch_.max_age = minutes(5);
  start();
  EXPECT_EQ(ask(ForgetSource{"old"})->text, "Forgotten.");
  batch_.max_age = seconds(5);
  lines(10);
  EXPECT_EQ(deliver_all(), 0u) << "young: only what was forgotten would be ripe";
  clock_.advance(minutes(5));
  EXPECT_EQ(deliver_all(), 10u);
}

TEST_F(OperatorTest, PositionsOutOfReachGo) {
  refuse({});
  {
    const auto transaction = store_->begin();
    FileState far;
    far.path = "/elsewhere/log";
    ASSERT_TRUE((*transaction)->put_file(FileId{2}, far));
    ASSERT_TRUE((*transaction)->commit());
  }
  EXPECT_EQ(ask(ForgetPositions{})->text, "1 position forgotten.");
  EXPECT_TRUE(*store_->file(FileId{1}));
  EXPECT_FALSE(*store_->file(FileId{2}));
}

}  // namespace
}  // namespace edgehose
