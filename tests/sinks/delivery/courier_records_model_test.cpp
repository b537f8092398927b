// Random lives of a courier before a destination of the model's that tells of each record, takes
// batches and acknowledges them later, loses answers, and refuses sizes: whatever it says and
// however often the process dies, each record is there, in the dead letters, or told to be
// unreadable; there is one of it where the destination has ids, and else more only where that was
// counted.
//
//   EDGEHOSE_MODEL_SEEDS=5000 delivery_test --gtest_filter='*RecordsModel*'
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "tests/sinks/delivery/courier_fixture.h"
#include "tests/sinks/delivery/records_model.h"

namespace edgehose {
namespace {

class RecordsModelTest : public CourierTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  class ModelSink final : public Sink {
   public:
    explicit ModelSink(RecordsModelTest& model) : model_(model) {}
    const std::string& name() const override { return name_; }
    std::string key(const BatchOutline&, const std::string&) const override { return "key"; }
    std::string rendering() const override { return ""; }
    Request request(const Batch& batch, const std::string&,
                    std::shared_ptr<ByteSource> body) const override {
      model_.check_sent(batch, static_cast<const RecordsBody&>(*body).records);
      return FileRequest{"", std::to_string(batch.claim.id.value), "", std::move(body)};
    }
    std::optional<Request> poll(std::span<const Batch* const>, const std::string&) const override {
      return FileRequest{"", "?", "", nullptr};
    }
    Verdict judge(const Batch& batch, const Response&) const override {
      return batch.receipt.empty() ? model_.verdict_ : model_.asked_for(batch);
    }
    std::optional<std::string> learn(const std::string&, const Response&) const override {
      return std::nullopt;
    }

   private:
    RecordsModelTest& model_;
    const std::string name_ = "archive";
  };

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool chance(unsigned percent) { return pick(100) < percent; }
  bool is_poison(std::uint64_t record) const { return poison_.contains(record); }

  void begin_life() {
    auto owned = std::make_unique<ModelTransport>();
    wire_ = owned.get();
    courier = std::make_unique<Courier>(
        std::make_shared<ModelSink>(*this), std::move(owned),
        [this](const Batch& batch) -> Result<std::shared_ptr<ObjectBody>> { return body(batch); },
        store, clock, outcomes,
        CourierOptions{{std::chrono::seconds(1), std::chrono::minutes(1)},
                       concurrency_,
                       recognises_,
                       random_()});
    told_.clear();
    for (const auto& [id, claim] : open_) {
      Claim resumed = claim;
      resumed.resumed = true;
      courier->claims().post(std::move(resumed));
    }
  }
  std::shared_ptr<ObjectBody> body(const Batch& batch) {
    Ranges ranges = batch.left;
    if (ranges.empty()) ranges.push_back({batch.claim.first, batch.claim.last});
    Records records;
    std::uint64_t missing = 0;
    for (const SequenceRange& range : ranges)
      for (std::uint64_t r = range.first.value; r <= range.last.value; ++r)
        damaged_.contains(r) ? static_cast<void>(++missing) : records.push_back(r);
    return std::make_shared<RecordsBody>(std::move(records), missing);
  }
  // What was told to be there is not sent again in the same life.
  void check_sent(const Batch& batch, const Records& records) {
    for (const std::uint64_t r : records)
      EXPECT_FALSE(told_[batch.claim.id].contains(r)) << "record " << r << " is sent again";
  }

  void post_claim(Claim claim) {
    claim.id = ClaimId{++claims_};
    open_[claim.id] = claim;
    courier->claims().post(std::move(claim));
  }
  void post_new() {
    const std::size_t count = 1 + pick(8);
    const std::uint64_t block = ++blocks_, first = records_ + 1;
    for (std::size_t i = 0; i < count; ++i)
      if (++records_; chance(15)) poison_.insert(records_);
    store.add_block(block, first, std::vector<std::string>(count, "123456789"));
    Claim c = claim(block, first, records_);
    root_.resize(records_ + 1, block);
    post_claim(std::move(c));
  }

  // The destination's side. `arrive` is what becomes of a record that it takes.
  void arrive(std::uint64_t record) {
    std::uint64_t& copies = there_[record];
    copies = recognises_ == Recognises::kRecords ? 1 : copies + 1;
  }
  void answer(std::size_t i, bool kind) {
    const ModelTransport::Sent sent = wire_->sent.at(i);
    wire_->sent.erase(wire_->sent.begin() + static_cast<std::ptrdiff_t>(i));
    kind_ = kind;
    if (sent.name == "?") {
      take_meanwhile();
    } else if (sent.taken) {
      verdict_ = Retry{"no answer", {}, true};
    } else {
      const ClaimId id{std::stoull(sent.name)};
      verdict_ =
          kind || sent.records.empty() ? take_all(id, sent.records) : any_verdict(id, sent.records);
    }
    wire_->answered = sent.id;
    courier->step();  // judges it
  }
  Verdict take_all(ClaimId id, const Records& records) {
    Partly partly;
    for (const std::uint64_t r : records) {
      if (is_poison(r)) {
        partly.refused.push_back({{Sequence{r}}, "poison", "mapping"});
      } else {
        arrive(r);
        told_[id].insert(r);
      }
    }
    if (partly.refused.empty()) return Delivered{};
    return partly;
  }
  Verdict take_some(ClaimId id, const Records& records) {
    Partly partly;
    Records kept, again;
    for (const std::uint64_t r : records) (chance(40) ? again : kept).push_back(r);
    if (Verdict taken = take_all(id, kept); auto* p = std::get_if<Partly>(&taken)) partly = *p;
    std::vector<Sequence> sequences;
    for (const std::uint64_t r : again) sequences.push_back(Sequence{r});
    partly.again = ranges_of(std::move(sequences));
    partly.reason = "busy";
    partly.alone = chance(50);
    return partly;
  }
  // It refuses one, and does not look at those behind it.
  Verdict take_up_to_poison(ClaimId id, const Records& records) {
    const auto bad = std::ranges::find_if(records, [&](auto r) { return is_poison(r); });
    if (bad == records.end()) return take_all(id, records);
    auto partly = std::get<Partly>(take_all(id, Records(records.begin(), bad + 1)));
    std::vector<Sequence> behind;
    for (auto r = bad + 1; r != records.end(); ++r) behind.push_back(Sequence{*r});
    partly.again = ranges_of(std::move(behind));
    partly.reason = "poison";
    partly.at_once = true;
    return partly;
  }
  // The same, and it does not say which one.
  Verdict too_large(const Records& records) {
    if (records.size() == 1) oversize_.insert(records[0]);
    if (records.size() <= 1 || chance(50)) return TooLarge{"too large"};
    for (const std::uint64_t r : records)
      if (!is_poison(r) && chance(50)) arrive(r);
    return TooLarge{.reason = "one of them is bad", .maybe_arrived = true};
  }
  // It gives ids that count from 0 on each channel, and forgets at times what it has given.
  Verdict take_later(const Records& records) {
    const bool safe = chance(70);
    if (safe || chance(50))
      for (const std::uint64_t r : records) arrive(r);
    if (chance(20)) safe_.clear();
    const std::string channel = chance(70) ? "a" : "b";
    std::vector<bool>& ids = safe_[channel];
    ids.push_back(safe);
    return poll_of(fmt::format("{} {}", ids.size() - 1, channel));
  }
  static Poll poll_of(const std::string& receipt, std::string failure = {}) {
    return {.receipt = receipt,
            .after = std::chrono::seconds(10),
            .group = receipt.substr(receipt.find(' ') + 1),
            .failure = std::move(failure),
            .serial = std::stoull(receipt)};
  }
  // While it is asked, it takes something of which nobody will hear.
  void take_meanwhile() {
    for (ModelTransport::Sent& other : wire_->sent) {
      if (other.name == "?" || other.taken || other.records.empty() || !chance(30)) continue;
      if (std::ranges::any_of(other.records, [&](auto r) { return is_poison(r); })) continue;
      take_later(other.records);
      other.taken = true;
    }
  }
  Verdict any_verdict(ClaimId id, const Records& records) {
    const bool clean = std::ranges::none_of(records, [&](auto r) { return is_poison(r); });
    switch (pick(10)) {
      case 0: return Retry{"away"};
      case 1:
        if (clean) take_later(records);
        for (const std::uint64_t r : records)
          if (!clean && !is_poison(r) && chance(80)) arrive(r);
        return Retry{"no answer", {}, true};
      case 2: return Park{"denied"};
      case 3: return too_large(records);
      case 4:
      case 5: return take_some(id, records);
      case 8:
      case 9: return take_up_to_poison(id, records);
      case 6: return clean && !records.empty() ? take_later(records) : take_all(id, records);
      default: return take_all(id, records);
    }
  }
  Verdict asked_for(const Batch& batch) {
    const Poll poll = poll_of(batch.receipt, chance(30) ? "timed out" : "");
    const std::vector<bool>& ids = safe_[poll.group];
    const bool safe = *poll.serial < ids.size() && ids[*poll.serial];
    if (!kind_ && chance(50)) return poll;
    return safe && !batch.ambiguous && (kind_ || chance(90)) ? Verdict(Delivered{})
                                                             : Verdict(Retry{"unknown"});
  }

  // Intake's side.
  void take_events() {
    for (const CourierEvent& event : outcomes.take()) {
      if (const auto* settled = std::get_if<Settled>(&event)) check_settled(*settled);
      if (const auto* halve = std::get_if<Halve>(&event)) cut(*halve);
    }
  }
  void cut(const Halve& halve) {
    const auto found = open_.find(halve.claim);
    ASSERT_NE(found, open_.end());
    const Claim whole = found->second;
    open_.erase(found);
    ASSERT_GT(whole.size.records, 1u) << "one record is not halved";
    counted_[root_[whole.first.value]] += halve.possible_duplicates;
    auto [first, second] = halves_of(whole);
    post_claim(std::move(first));
    post_claim(std::move(second));
  }
  void check_settled(const Settled& settled) {
    const auto found = open_.find(settled.ack.claim);
    ASSERT_NE(found, open_.end()) << "it ended twice";
    const Claim claim = found->second;
    open_.erase(found);
    std::uint64_t nowhere = 0, unclear = 0;
    std::set<std::uint64_t> dead;
    for (const DeadLetter& letter : settled.ack.dead)
      EXPECT_TRUE(dead.insert(letter.sequence.value).second) << "buried twice";
    for (std::uint64_t r = claim.first.value; r <= claim.last.value; ++r) {
      const bool there = there_.contains(r);
      if (dead.contains(r)) {
        EXPECT_TRUE(is_poison(r) || oversize_.contains(r) || damaged_.contains(r))
            << r << " is buried for nothing";
      }
      nowhere += !there && !dead.contains(r);
      unclear += there && damaged_.contains(r);
      if (!damaged_.contains(r)) {
        EXPECT_TRUE(there || dead.contains(r)) << r << " is lost";
      }
      dead.erase(r);
    }
    EXPECT_TRUE(dead.empty()) << "letters of another claim";
    const std::uint64_t lost = settled.ack.unreadable.records;
    EXPECT_GE(lost, nowhere);
    EXPECT_LE(lost, nowhere + unclear) << "neither delivered nor refused, and told twice";
    EXPECT_LE(settled.ack.unreadable.bytes, claim.size.bytes);
    counted_[root_[claim.first.value]] += settled.ack.possible_duplicates;
  }
  void check_duplicates() {
    std::map<std::uint64_t, std::uint64_t> twice;
    for (const auto& [record, copies] : there_)
      if (copies > 1) ++twice[root_[record]];
    for (const auto& [root, records] : twice)
      EXPECT_LE(records, counted_[root]) << "of block " << root << ", not counted";
  }

  std::mt19937_64 random_;
  unsigned concurrency_ = 1;
  Recognises recognises_ = Recognises::kRecords;
  std::uint64_t claims_ = 0, blocks_ = 0, records_ = 0;
  std::set<std::uint64_t> poison_, damaged_, oversize_;
  std::map<std::uint64_t, std::uint64_t> there_;    // record -> copies
  std::map<std::uint64_t, std::uint64_t> counted_;  // block -> possible duplicates
  std::vector<std::uint64_t> root_;                 // record -> block
  std::map<ClaimId, Claim> open_;
  std::map<ClaimId, std::set<std::uint64_t>> told_;  // to be there, in this life
  std::map<std::string, std::vector<bool>> safe_;    // channel -> of each id given, in this life
  ModelTransport* wire_ = nullptr;
  Verdict verdict_;
  bool kind_ = false;  // nothing fails any more
};

TEST_P(RecordsModelTest, EachRecordIsDeliveredOrBuriedOrToldToBeUnreadable) {
  random_.seed(GetParam());
  recognises_ = GetParam() % 2 ? Recognises::kNothing : Recognises::kRecords;
  concurrency_ = 1 + static_cast<unsigned>(pick(4));
  begin_life();
  for (int i = 0; i < 2000 && !HasFailure(); ++i) {
    switch (pick(8)) {
      case 0:
      case 1:
        if (open_.size() < 64) post_new();
        break;
      case 2:
      case 3:
        if (!wire_->sent.empty()) answer(pick(wire_->sent.size()), false);
        break;
      case 4: clock.advance(std::chrono::milliseconds(pick(30'000))); break;
      case 5:
        if (records_ > 0 && chance(10)) damaged_.insert(1 + pick(records_));
        if (chance(3)) {  // a kill: intake has not seen what was posted last
          outcomes.take();
          begin_life();
        }
        break;
      default: courier->step();
    }
    ASSERT_LE(wire_->sent.size(), concurrency_);
    if (chance(90)) take_events();
  }
  for (int i = 0; i < 20'000 && !open_.empty() && !HasFailure(); ++i) {
    while (!wire_->sent.empty()) answer(0, true);
    const Instant next = courier->step();
    take_events();
    if (wire_->sent.empty() && next != kNever && next > clock.now())
      clock.advance(next - clock.now());
  }
  EXPECT_TRUE(open_.empty()) << open_.size() << " claims never end";
  check_duplicates();
}

unsigned seeds() {
  const char* const wanted = std::getenv("EDGEHOSE_MODEL_SEEDS");
  return wanted != nullptr ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : 60;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecordsModelTest, ::testing::Range(0u, seeds()));

}  // namespace
}  // namespace edgehose
