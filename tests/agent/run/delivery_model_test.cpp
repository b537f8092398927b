// Random lives of the whole delivery, from a seed: a real store, intake and courier around a source
// and a destination of the model's, which fails, loses answers and refuses names, sizes and
// records, and in every other life tells records apart and takes some of them; killed and opened
// again between any two steps, under a clock that jumps and a config that changes.
//
//   EDGEHOSE_MODEL_SEEDS=5000 agent_run_test --gtest_filter='DeliveryModel*'
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "agent/run/intake.h"
#include "sinks/delivery/courier.h"
#include "tests/agent/run/left_body.h"

namespace edgehose {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kSeeds = 16;
constexpr int kSteps = 250;
constexpr std::uint64_t kLines = 400;
constexpr std::size_t kLargest = 700;  // bytes of a body that the destination takes

bool is_poison(std::uint64_t n) { return n % 97 == 13; }

// Line n is record n: sequences begin at 1.
std::string line(std::uint64_t n) {
  return fmt::format("{} {}", n, std::string(n * 7 % 60, is_poison(n) ? 'P' : '.'));
}

// A file that grows by the model's will and is read on from its committed position.
class ModelSource final : public Source {
 public:
  ModelSource(Store& store, const std::uint64_t& there) : there_(there) {
    const auto state = store.file(FileId{1});
    if (state && *state) read_ = (*state)->offset;
  }
  const std::string& name() const override { return name_; }
  int fd() const override { return -1; }
  DrainResult drain(RecordSink& out) override {
    for (; read_ < there_ && !out.full(); ++read_) {
      const std::string body = line(read_ + 1);
      NewRecord record;
      record.body = body;
      record.file = FileId{1};
      record.begin = read_;
      record.end = read_ + 1;
      out.append(record);
    }
    DrainResult result;
    result.more = read_ < there_;
    return result;
  }
  Status before_commit() override { return {}; }
  Status checkpoint(Store::Transaction& transaction) override {
    FileState state;
    state.path = "/log";
    state.offset = read_;
    return transaction.put_file(FileId{1}, state);
  }
  void settled(bool) override {}
  bool caught_up() const override { return read_ == there_; }
  Duration commit_patience(Duration limit) const override { return limit; }
  SourceHealth health() const override { return {}; }

 private:
  const std::string name_ = "app";
  const std::uint64_t& there_;
  std::uint64_t read_ = 0;
};

// What outlives the agent. Rules of its own are steady, faults are the model's.
struct Destination {
  bool refuses_colons = false;
  bool by_record = false;  // each has an id, and may be told to come again
  std::map<std::string, std::string> objects;
  std::multiset<std::uint64_t> arrived;

  std::string put(const std::string& key, const std::string& text) {
    if (refuses_colons && key.find(':') != std::string::npos) return "name";
    if (text.size() > kLargest) return "large";
    if (by_record) return "ok";
    const bool fresh = objects.emplace(key, text).second;
    EXPECT_EQ(objects.at(key), text) << "another content under " << key;
    for (const std::uint64_t n : numbers_in(text))
      if (fresh && !is_poison(n)) arrived.insert(n);
    return "ok";
  }
  // Takes the records that `busy` does not keep away; returns the others.
  std::vector<std::uint64_t> index(const std::string& text, const std::function<bool()>& busy) {
    std::vector<std::uint64_t> again;
    for (const std::uint64_t n : numbers_in(text)) {
      if (busy())
        again.push_back(n);
      else if (!is_poison(n) && !arrived.contains(n))
        arrived.insert(n);
    }
    return again;
  }
};

class ModelTransport final : public Transport {
 public:
  explicit ModelTransport(Destination& destination) : destination_(destination) {}

  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) override {
    under_way_.push_back({id, std::get<FileRequest>(std::move(request))});
  }
  Instant step(Instant, std::vector<Completion>& finished) override {
    for (Completion& completion : answers_) finished.push_back(std::move(completion));
    answers_.clear();
    return kNever;
  }
  void abandon() override { under_way_.clear(); }
  std::vector<int> descriptors() const override { return {}; }

  std::size_t size() const { return under_way_.size(); }
  // `fault`: empty, "away", "lost" (taken, and the answer lost), "denied". `busy`: whether it has
  // no room for a record, where it tells of each.
  void answer(std::size_t i, const std::string& fault, const std::function<bool()>& busy) {
    Job& job = under_way_.at(i);
    const Result<std::string> text = read_text(*job.request.body);
    ASSERT_TRUE(text) << text.error().message;
    FileResponse response;
    response.filesystem = fault;
    if (fault.empty() || fault == "lost") {
      const std::string taken = destination_.put(job.request.name, *text);
      std::string again;
      if (destination_.by_record && taken == "ok")
        for (const std::uint64_t n : destination_.index(*text, busy))
          again += fmt::format("{}\n", n);
      if (fault.empty() || taken != "ok") response.filesystem = taken + " " + *text + "|" + again;
    }
    answers_.push_back({job.id, std::move(response)});
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(i));
  }

 private:
  struct Job {
    RequestId id;
    FileRequest request;
  };
  Destination& destination_;
  std::deque<Job> under_way_;
  std::vector<Completion> answers_;
};

class ModelSink final : public Sink {
 public:
  explicit ModelSink(std::string prefix) : prefix_(std::move(prefix)) {}
  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& b, const std::string& note) const override {
    return fmt::format("{}{}-{}", note == "safe" ? "safe/" : prefix_, b.first.value, b.last.value);
  }
  std::string rendering() const override {
    ObjectRendering rendering;
    rendering.compression = ObjectRendering::Compression::kNone;
    return serialize_rendering(rendering);
  }
  Request request(const Batch& batch, const std::string&,
                  std::shared_ptr<ByteSource> body) const override {
    return FileRequest{"", batch.claim.key, "", std::move(body)};
  }
  Verdict judge(const Batch&, const Response& response) const override {
    const std::string& said = std::get<FileResponse>(response).filesystem;
    if (said == "away") return Retry{"away"};
    if (said == "lost") return Retry{"no answer", {}, true};
    if (said == "denied") return Park{"denied"};
    if (said.starts_with("name")) return KeyRefused{"':'"};
    if (said.starts_with("large")) return TooLarge{"too large"};
    Rejected poison{{}, "poison"};
    std::vector<Sequence> again;
    for (const std::uint64_t n : numbers_in(said.substr(said.find('|') + 1)))
      again.push_back(Sequence{n});
    for (const std::uint64_t n : numbers_in(said.substr(3, said.find('|') - 3)))
      if (is_poison(n) && std::ranges::find(again, Sequence{n}) == again.end())
        poison.records.push_back(Sequence{n});
    if (!again.empty()) {
      Partly partly{{}, ranges_of(again), "busy", {}, again.size() % 2 == 0};
      if (!poison.records.empty()) partly.refused.push_back(poison);
      return partly;
    }
    if (poison.records.empty()) return Delivered{};
    return poison;
  }
  // "safe": names are to be; a number: no batch is to be larger.
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override {
    const std::string& said = std::get<FileResponse>(response).filesystem;
    if (said.starts_with("name")) return "safe";
    if (said.starts_with("large") && note.empty()) return std::to_string(kLargest);
    return std::nullopt;
  }
  std::optional<std::uint64_t> size_limit(const std::string& note) const override {
    if (note.empty() || note == "safe") return std::nullopt;
    return std::stoull(note);
  }

 private:
  const std::string name_ = "archive", prefix_;
};

class DeliveryModel : public ::testing::Test {
 protected:
  ~DeliveryModel() override { end_life(); }

  void live(unsigned seed) {
    random_.seed(seed);
    std::string pattern = std::filesystem::exists("/dev/shm") ? "/dev/shm/" : testing::TempDir();
    pattern += "delivery-model.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    destination_.refuses_colons = pick(2) == 0;
    destination_.by_record = seed % 2 == 1;
    begin_life();
    for (int i = 0; i < kSteps && !HasFatalFailure(); ++i) {
      one_thing();
      if (!HasFatalFailure()) check();
    }
    if (!HasFatalFailure()) drain();
    end_life();
    std::filesystem::remove_all(directory_);
  }

  void begin_life() {
    StoreOptions options;
    options.directory = directory_;
    options.free_disk_percent = 0;
    auto store = Store::open(options, clock_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    std::vector<std::unique_ptr<Source>> sources;
    sources.push_back(std::make_unique<ModelSource>(*store_, there_));
    // The config of this life: another prefix, a wrong one, or no such sink.
    const bool has_sink = pick(8) != 0 || draining_;
    const std::array<std::string, 3> prefixes{"a/", "b/", "12:30/"};
    sink_ = std::make_shared<ModelSink>(prefixes[pick(prefixes.size())]);
    std::vector<SinkLink> links;
    if (has_sink) {
      SinkLink link;
      link.config.name = "archive";
      link.config.concurrency = 1 + static_cast<unsigned>(pick(3));
      link.config.unacknowledged = destination_.by_record ? static_cast<unsigned>(pick(3)) : 0;
      link.config.batch = {4096, seconds(5)};
      link.sink = sink_;
      links.push_back(std::move(link));
    }
    IntakeOptions intake;
    intake.commit_limit = seconds(5);
    intake_ = std::make_unique<Intake>(*store_, clock_, waker_, intake, std::move(sources),
                                       std::move(links));
    auto transport = std::make_unique<ModelTransport>(destination_);
    transport_ = transport.get();
    CourierOptions courier;
    courier.retry = {seconds(1), seconds(60)};
    courier.concurrency = 3;
    courier.seed = random_();
    courier.recognises = destination_.by_record ? Recognises::kRecords : Recognises::kKey;
    courier_ = std::make_unique<Courier>(sink_, std::move(transport), left_bodies(*store_), *store_,
                                         clock_, intake_->inbox(), courier);
    if (has_sink) {
      ASSERT_TRUE(intake_->connect("archive", courier_->claims(), courier_->holds()));
    }
    const Status started = intake_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  // As a kill: nothing is written any more.
  void end_life() {
    courier_.reset();
    intake_.reset();
    store_.reset();
  }

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void one_thing() {
    switch (pick(16)) {
      case 0:
      case 1:
      case 2: there_ = std::min(kLines, there_ + pick(20)); break;
      case 3:
      case 4:
      case 5:
      case 6: intake_->step(); break;
      case 7:
      case 8:
      case 9: courier_->step(); break;
      case 10:
      case 11: clock_.advance(milliseconds(pick(8000))); break;
      case 12:
        clock_.set_wall(
            WallTime(clock_.wall().value + (pick(2) ? 1 : -1) * 31'536'000'000'000'000));
        break;
      case 13:
        if (pick(3) == 0) {
          end_life();
          begin_life();
        }
        break;
      default: answer_one(); break;
    }
  }
  void answer_one() {
    const std::array<const char*, 6> faults{"", "", "", "away", "lost", "denied"};
    if (transport_->size() > 0)
      transport_->answer(pick(transport_->size()), faults[pick(faults.size())],
                         [this] { return pick(4) == 0; });
  }

  // What is there beside the counters: records at and behind the cursor that no done claim covers.
  void check() {
    const auto lanes = store_->lanes();
    ASSERT_TRUE(lanes);
    for (const LaneState& lane : *lanes) {
      std::uint64_t held = 0, first = 0;
      for (BlockNumber from = lane.cursor.block;;) {
        const auto block = store_->next_block(lane.key.source, from);
        ASSERT_TRUE(block);
        if (!*block) break;
        const bool partly = (*block)->number == lane.cursor.block;
        const std::uint32_t skipped = partly ? lane.cursor.record : 0;
        if (first == 0) first = (*block)->first.value + skipped;
        held += (*block)->records - skipped;
        from = (*block)->number + 1;
      }
      const auto claims = store_->claims();
      ASSERT_TRUE(claims);
      for (const Claim& claim : *claims)
        if (claim.done) held -= claim.size.records;
      ASSERT_EQ(lane.buffered().records, held);
      ASSERT_GE(lane.cursor, cursor_) << "a cursor never goes back";
      cursor_ = lane.cursor;
      if (first == 0) first = lane.committed.records + 1;
      for (; acknowledged_ + 1 < first; ++acknowledged_)
        ASSERT_TRUE(is_poison(acknowledged_ + 1) ||
                    destination_.arrived.contains(acknowledged_ + 1))
            << "record " << acknowledged_ + 1 << " was acknowledged and did not arrive";
    }
    for (const std::uint64_t n : destination_.arrived)
      ASSERT_EQ(destination_.arrived.count(n), 1u) << "record " << n << " arrived twice";
  }

  // Faults cease: all that was written arrives, in bounded work.
  void drain() {
    draining_ = true;
    end_life();
    begin_life();
    if (HasFatalFailure()) return;
    for (int i = 0; i < 20'000 && acknowledged_ < there_; ++i) {
      const Instant next = std::min(intake_->step(), courier_->step());
      while (transport_->size() > 0) transport_->answer(0, "", [] { return false; });
      if (next > clock_.now()) {
        clock_.advance(std::min<Duration>(next - clock_.now(), seconds(10)));
        check();
        if (HasFatalFailure()) return;
      }
    }
    ASSERT_EQ(acknowledged_, there_) << "it does not drain";
    std::uint64_t poison = 0;
    for (std::uint64_t n = 1; n <= there_; ++n) poison += is_poison(n) ? 1 : 0;
    ASSERT_EQ(destination_.arrived.size(), there_ - poison);
    std::set<std::uint64_t> dead;
    ASSERT_TRUE(store_->for_each_dead_letter([&](const DeadLetter& letter) {
      EXPECT_TRUE(dead.insert(letter.sequence.value).second) << "buried twice";
      EXPECT_EQ(letter.body, line(letter.sequence.value));
      return true;
    }));
    ASSERT_EQ(dead.size(), poison);
    ASSERT_EQ(store_->lanes().value().at(0).dead_lettered.records, poison);
    refuse_again(poison);
  }

  // What is replayed to a destination that still refuses it stays, with another attempt.
  void refuse_again(std::uint64_t poison) {
    std::map<std::uint64_t, std::uint32_t> attempts;
    const auto count = [&](const DeadLetter& letter) {
      attempts[letter.id] = letter.attempts;
      return true;
    };
    ASSERT_TRUE(store_->for_each_dead_letter(count));
    const auto before = attempts;
    const auto any = [](std::string_view) { return true; };
    ASSERT_TRUE(apply_change(*store_, ReplayLetters{}, {false, any, any, nullptr}));
    end_life();
    begin_life();
    if (HasFatalFailure()) return;
    for (int i = 0; i < 20'000 && !store_->replays().value().empty(); ++i) {
      const Instant next = std::min(intake_->step(), courier_->step());
      while (transport_->size() > 0) transport_->answer(0, "", [] { return false; });
      if (next > clock_.now()) clock_.advance(std::min<Duration>(next - clock_.now(), seconds(10)));
    }
    ASSERT_TRUE(store_->replays().value().empty());
    ASSERT_TRUE(store_->for_each_dead_letter(count));
    ASSERT_EQ(attempts.size(), poison);
    for (const auto& [id, tries] : before) ASSERT_GT(attempts.at(id), tries);
    ASSERT_EQ(store_->lanes().value().at(0).dead_lettered.records, poison);
  }

  std::mt19937_64 random_;
  std::string directory_;
  ManualClock clock_;
  Waker waker_;
  Destination destination_;
  std::uint64_t there_ = 0;         // lines written
  std::uint64_t acknowledged_ = 0;  // records seen before the cursor
  Position cursor_;
  bool draining_ = false;
  std::shared_ptr<const ModelSink> sink_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Courier> courier_;
  ModelTransport* transport_ = nullptr;
};

class DeliveryModelSeeds : public DeliveryModel, public ::testing::WithParamInterface<unsigned> {};

TEST_P(DeliveryModelSeeds, EachRecordArrivesOnceWhateverHappens) { live(GetParam()); }

unsigned seeds() {
  const char* const wanted = std::getenv("EDGEHOSE_MODEL_SEEDS");
  return wanted != nullptr ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : kSeeds;
}

INSTANTIATE_TEST_SUITE_P(DeliveryModel, DeliveryModelSeeds, ::testing::Range(0u, seeds()));

}  // namespace
}  // namespace edgehose
