// A courier with everything around it scripted: a store of blocks in memory, a transport that
// answers when the test says so, a sink whose verdicts are the responses' messages.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sinks/delivery/courier.h"

namespace edgehose {

class FakeStore final : public Store {
 public:
  // Number `n` holds records [first, first + bodies) of source 1.
  void add_block(std::uint64_t n, std::uint64_t first, const std::vector<std::string>& bodies) {
    BlockBuilder builder(SourceId{1});
    for (const std::string& body : bodies) {
      NewRecord record{};
      record.body = body;
      builder.append(record);
    }
    RawBlock raw = builder.take();
    DecodedBlock block;
    block.header.source = SourceId{1};
    block.header.number = BlockNumber{n};
    block.header.records = raw.records;
    block.header.first_sequence = Sequence{first};
    block.header.extents = raw.extents;
    block.bodies = raw.bodies;
    block.index = raw.index;
    blocks_[BlockNumber{n}] = std::move(block);
  }
  std::string note;
  bool broken = false;  // every read fails
  std::map<std::uint64_t, DeadLetter> letters;
  std::vector<Claim> persisted;

  Result<std::optional<BlockInfo>> next_block(SourceId, BlockNumber from) override {
    const auto it = blocks_.lower_bound(from);
    if (it == blocks_.end()) return std::nullopt;
    BlockInfo info{};
    info.number = it->first;
    return std::optional<BlockInfo>(info);
  }
  Result<DecodedBlock> read_decoded(BlockNumber number) override {
    if (broken) return fail(ErrorCode::kIo, "the buffer's disk is away");
    return blocks_.at(number);
  }
  Result<std::vector<SourceState>> sources() override {
    SourceState state{};
    state.id = SourceId{1};
    state.name = "app";
    return std::vector<SourceState>{state};
  }
  Result<std::vector<SinkState>> sinks() override {
    if (broken) return fail(ErrorCode::kIo, "the buffer's disk is away");
    return std::vector<SinkState>{{SinkId{1}, "archive", note}};
  }
  const Epoch& epoch() const override { return epoch_; }

  // Not for couriers.
  Result<std::unique_ptr<Transaction>> begin() override { return none(); }
  SourceId source_id(std::string_view) override { return {}; }
  SinkId sink_id(std::string_view) override { return {}; }
  FileId new_file_id() override { return {}; }
  Result<StoredBlock> read(BlockNumber) override { return none(); }
  BlockNumber end_block() const override { return {}; }
  Result<std::vector<LaneState>> lanes() override { return none(); }
  Result<std::vector<Claim>> claims() override { return persisted; }
  Status for_each_file(const std::function<void(FileId, const FileState&)>&) override { return {}; }
  Result<std::optional<FileState>> file(FileId) override { return none(); }
  Result<std::vector<std::uint64_t>> for_each_dead_letter(
      const std::function<bool(const DeadLetter&)>&) override {
    return std::vector<std::uint64_t>{};
  }
  Result<std::vector<Claim>> replays() override {
    if (broken) return none();
    return std::vector<Claim>();
  }
  Result<std::optional<DeadLetter>> dead_letter(std::uint64_t id) override {
    const auto found = letters.find(id);
    if (found == letters.end()) return std::nullopt;
    return found->second;
  }
  StoreUsage usage() const override { return {}; }
  void maintain() override {}
  Status close() override { return {}; }

 private:
  static tl::unexpected<Error> none() { return fail(ErrorCode::kUnsupported, "not here"); }
  std::map<BlockNumber, DecodedBlock> blocks_;
  Epoch epoch_{};
};

// Holds requests until the test answers them.
class ScriptedTransport final : public Transport {
 public:
  struct Sent {
    RequestId id;
    std::string key, note;
  };
  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) override {
    auto& file = std::get<FileRequest>(request);
    sent.push_back({id, file.name, file.expected_filesystem});
    log.push_back(file.name);
    bodies.push_back(file.body);
  }
  std::vector<Advance> take_advances() override { return std::exchange(advances, {}); }
  void discard(const std::string& key, const PartialUpload& upload) override {
    discarded.push_back(key + " " + upload.id);
  }
  void tidy(Instant, IsLeftover is) override { leftover = std::move(is); }
  Instant step(Instant, std::vector<Completion>& finished) override {
    for (Completion& c : answers_) finished.push_back(std::move(c));
    answers_.clear();
    return kNever;
  }
  void abandon() override {
    sent.clear();
    abandoned = true;
  }
  std::vector<int> descriptors() const override { return {}; }

  // The verdict that ScriptedSink will give for the i-th request under way.
  void answer(std::size_t i, std::string verdict) {
    FileResponse response;
    response.filesystem = std::move(verdict);
    answers_.push_back({sent.at(i).id, std::move(response)});
    sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(i));
  }

  std::vector<Sent> sent;                           // under way
  std::vector<std::string> log;                     // keys of all that were started
  std::vector<std::shared_ptr<ByteSource>> bodies;  // of the same
  std::vector<Advance> advances;                    // told with the next step
  std::vector<std::string> discarded;               // "key id"
  IsLeftover leftover;
  bool abandoned = false;

 private:
  std::vector<Completion> answers_;
};

// Verdicts by name; `verdicts` maps what a response says.
class ScriptedSink final : public Sink {
 public:
  const std::string& name() const override { return name_; }
  // As CourierTest::claim names them, where nothing was learned.
  std::string key(const BatchOutline& batch, const std::string& note) const override {
    return key_prefix + note + "key-" + std::to_string(batch.first_time.value);
  }
  bool is_own_key(const std::string& key, const Epoch&) const override {
    return key.starts_with("key-");
  }
  std::string rendering() const override { return "unused"; }
  Request request(const Batch& batch, const std::string& note,
                  std::shared_ptr<ByteSource> body) const override {
    EXPECT_EQ(batch.source, "app");
    attempted.push_back(batch.attempted);
    maybe_arrived.push_back(batch.maybe_arrived);
    wrong_there.push_back(batch.wrong_there);
    left.push_back(batch.left);
    size_limits.push_back(batch.size_limit.value_or(0));
    spent.push_back(std::to_string(batch.spent_receipts) + " " + batch.spent_receipt);
    return FileRequest{"", batch.claim.key, note, std::move(body)};
  }
  // Named by what it asks for: "? r-1 r-2".
  std::optional<Request> poll(std::span<const Batch* const> batches,
                              const std::string& note) const override {
    if (!may_poll) return std::nullopt;
    std::string name = "?";
    for (const Batch* const batch : batches) name += " " + batch->receipt;
    return FileRequest{"", name, note, nullptr};
  }
  // An answer "told" to a poll is that to each receipt by itself.
  Verdict judge(const Batch& batch, const Response& response) const override {
    held_back.push_back(batch.held_back);
    ambiguous.push_back(batch.ambiguous);
    const std::string& answer = std::get<FileResponse>(response).filesystem;
    return verdicts.at(answer == "told" ? told.at(batch.receipt) : answer);
  }
  std::optional<std::string> learn(const std::string&, const Response& response) const override {
    const std::string& answer = std::get<FileResponse>(response).filesystem;
    if (answer == "learn" || answer == "elsewhere") return "stick-1";
    if (answer == "bad name, learn") return "portable ";
    return std::nullopt;
  }
  std::optional<std::uint64_t> size_limit(const std::string& note) const override {
    return note == "stick-1" ? std::optional<std::uint64_t>(500) : std::nullopt;
  }

  std::map<std::string, Verdict> verdicts{
      {"ok", Delivered{}},
      {"learn", Delivered{}},
      {"away", Retry{"it is away", {}, false}},
      {"lost", Retry{"no answer", {}, true}},
      {"elsewhere", Retry{"ask there", {}, false, true}},
      {"busy", Retry{"busy", std::chrono::seconds(30), false}},
      {"busy for a day", Retry{"busy", std::chrono::hours(24), false}},
      {"denied", Park{"access denied"}},
      {"filtered", Park{"406", {}, true}},
      {"large", TooLarge{"too large"}},
      {"large, absent", TooLarge{"too large", true}},
      {"poison", Rejected{{}, "mapping"}},
      {"poison, absent", Rejected{{}, "mapping", "", true}},
      {"other poison", Rejected{{}, "schema"}},
      {"bad name", KeyRefused{"':' in it"}},
      {"bad name, learn", KeyRefused{"':' in it"}},
      {"bad name, absent", KeyRefused{"':' in it", true}},
      {"one bad", Rejected{{Sequence{2}}, "bad date"}}};

  std::string key_prefix;  // as another config would name batches
  bool may_poll = true;
  std::map<std::string, std::string> told;                          // receipt -> verdict's name
  mutable std::vector<bool> attempted, maybe_arrived, wrong_there;  // of each request
  mutable std::vector<std::vector<SequenceRange>> left;             // the same
  mutable std::vector<std::uint64_t> size_limits;                   // the same
  mutable std::vector<std::string> spent;                           // receipts, the same
  mutable std::vector<Duration> held_back;                          // of each answer
  mutable std::vector<bool> ambiguous;                              // the same

 private:
  std::string name_ = "archive";
};

class EmptyBody final : public ObjectBody {
 public:
  explicit EmptyBody(std::shared_ptr<const ObjectSummary> summary) : summary_(std::move(summary)) {}
  Result<std::unique_ptr<ByteStream>> open() override {
    return fail(ErrorCode::kUnsupported, "not read here");
  }
  std::shared_ptr<const ObjectSummary> summary() const override { return summary_; }

 private:
  std::shared_ptr<const ObjectSummary> summary_;
};

class CourierTest : public ::testing::Test {
 protected:
  using Ranges = std::vector<SequenceRange>;
  CourierTest() { summary->object_bytes = 100; }

  void make(CourierOptions options = {}) {
    auto owned = std::make_unique<ScriptedTransport>();
    transport = owned.get();
    courier = std::make_unique<Courier>(
        sink, std::move(owned),
        [this](const Batch&) -> Result<std::shared_ptr<ObjectBody>> {
          if (body_error) return tl::unexpected<Error>(*body_error);
          return std::make_shared<EmptyBody>(summary);
        },
        store, clock, outcomes, options);
  }

  // Claim n: records [first, last] of block n.
  static Claim claim(std::uint64_t n, std::uint64_t first = 1, std::uint64_t last = 3) {
    Claim c;
    c.id = ClaimId{n};
    c.lane = {SinkId{1}, SourceId{1}};
    c.begin = {BlockNumber{n}, 0};
    c.end = {BlockNumber{n + 1}, 0};
    c.first = Sequence{first};
    c.last = Sequence{last};
    c.size = {last - first + 1, 10 * (last - first + 1)};
    c.first_time = WallTime(static_cast<std::int64_t>(n));
    c.key = "key-" + std::to_string(n);
    return c;
  }
  void post(std::uint64_t n) {
    store.add_block(n, 1, {"one", "two", "three"});
    courier->claims().post(claim(n));
  }
  // A replay of letters n1, n2, n3 over the records 1, 2, 3.
  void post_replay(std::uint64_t n) {
    Claim c = claim(n);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      DeadLetter letter;
      letter.id = 10 * n + i;
      letter.lane = c.lane;
      letter.sequence = Sequence{i};
      letter.attempts = 1;
      store.letters[letter.id] = letter;
      c.letters.push_back(letter.id);
    }
    courier->claims().post(c);
  }
  // Steps until it has nothing to do at this instant.
  Instant run() {
    for (int i = 0; i < 1000; ++i) {
      const Instant next = courier->step();
      if (next > clock.now()) return next;
    }
    ADD_FAILURE() << "the courier spins";
    return kNever;
  }
  void answer(const std::string& verdict, std::size_t i = 0) {
    transport->answer(i, verdict);
    run();
  }
  // Lets the time of the next wish come.
  Duration advance_to_next() {
    const Instant next = run();
    EXPECT_NE(next, kNever);
    const Duration pause = next - clock.now();
    clock.advance(pause);
    run();
    return pause;
  }
  template <class Event>
  std::vector<Event> take() {
    std::vector<Event> events;
    for (CourierEvent& e : outcomes.take()) {
      if (auto* event = std::get_if<Event>(&e))
        events.push_back(std::move(*event));
      else
        ADD_FAILURE() << "another event, index " << e.index();
    }
    return events;
  }
  CourierStatus status() { return courier->status().read(); }

  FakeStore store;
  ManualClock clock;
  Waker intake;
  Mailbox<CourierEvent> outcomes{intake};
  std::shared_ptr<ScriptedSink> sink = std::make_shared<ScriptedSink>();
  std::shared_ptr<ObjectSummary> summary = std::make_shared<ObjectSummary>();
  std::optional<Error> body_error;
  std::unique_ptr<Courier> courier;
  ScriptedTransport* transport = nullptr;
};

}  // namespace edgehose
