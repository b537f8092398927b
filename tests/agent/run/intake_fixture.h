// Intake with the real store, a scripted source, a scripted courier and a clock of its own.
#pragma once

#include "agent/run/intake.h"

#include <gmock/gmock.h>
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
    if (on_checkpoint) EH_TRY(on_checkpoint());
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
  std::function<Status()> on_checkpoint;

 private:
  const std::string name_;
};

class PlainSink final : public Sink {
 public:
  explicit PlainSink(bool by_time = false) : by_time_(by_time) {}
  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& b, const std::string& note) const override {
    return fmt::format("{}{}-{}-{}{}", note, b.source, b.first.value, b.last.value,
                       b.replay.empty() ? "" : "-replay-" + b.replay);
  }
  std::string rendering() const override { return "r"; }
  std::string rendering_at(WallTime cut) const override {
    return by_time_ ? fmt::format("r at {}", cut.value) : rendering();
  }
  bool goes_by_time() const override { return by_time_; }
  Request request(const Batch&, const std::string&, std::shared_ptr<ByteSource>) const override {
    return FileRequest{};
  }
  Verdict judge(const Batch&, const Response&) const override { return Delivered{}; }
  std::optional<std::string> learn(const std::string&, const Response&) const override {
    return {};
  }
  // "max-4096"
  std::optional<std::uint64_t> size_limit(const std::string& note) const override {
    if (!note.starts_with("max-")) return std::nullopt;
    return std::stoull(note.substr(4));
  }

 private:
  const std::string name_ = "archive";
  const bool by_time_;
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
    link.config.unacknowledged = unacknowledged_;
    link.sink = std::make_shared<PlainSink>(by_time_);
    std::vector<SinkLink> links;
    links.push_back(link);
    if (second_batch_) {
      link.config.name = "second";
      link.config.batch = *second_batch_;
      links.push_back(link);
    }
    intake_ = std::make_unique<Intake>(*store_, *intakes_clock_, waker_, options_,
                                       std::move(sources), std::move(links));
    ASSERT_TRUE(intake_->connect(sink_name_, claims_, holds_, meter_));
    if (second_batch_) {
      ASSERT_TRUE(intake_->connect("second", second_claims_, holds_));
    }
    intake_->connect_operator(outcomes_,
                              {true, [this](std::string_view name) { return name == sink_name_; },
                               [](std::string_view name) { return name == "app"; },
                               [](std::string_view path) { return path == "/log"; },
                               [this](std::string_view sink, std::string_view of) {
                                 return sink == sink_name_ && takes(inputs_, of);
                               }});
    const Status started = intake_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  // Ten lines, older than a batch may become.
  void start_with_a_ripe_batch() {
    batch_.max_age = seconds(5);
    start();
    lines(10);
    run();
    clock_.advance(seconds(5));
    run();
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
  const Clock* intakes_clock_ = &clock_;
  StoreOptions store_options_;
  IntakeOptions options_;
  BatchConfig batch_{8 << 20, minutes(5)};
  unsigned unacknowledged_ = 0;
  bool by_time_ = false;  // where the sink's records go
  std::unique_ptr<Store> store_;
  Waker waker_;
  Waker courier_waker_;
  Mailbox<Claim> claims_{courier_waker_};
  Mailbox<std::string> holds_{courier_waker_};
  Mailbox<ChangeOutcome> outcomes_{courier_waker_};
  std::unique_ptr<Intake> intake_;
  ScriptedSource* source_ = nullptr;
  unsigned written_ = 0;
  std::shared_ptr<TrafficMeter> meter_;
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

}  // namespace edgehose
