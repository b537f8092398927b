#include "sinks/delivery/dead_letters.h"

#include <algorithm>
#include <set>

namespace edgehose {
namespace {

// Who refused which record.
class Lookup {
 public:
  explicit Lookup(const std::vector<Refusal>& refusals) {
    for (const Refusal& refusal : refusals) {
      if (refusal.records.empty()) rest_ = &refusal;
      for (const SequenceRange& range : refusal.records) named_.push_back({range, &refusal});
    }
    std::ranges::sort(named_, {}, [](const Named& named) { return named.range.last; });
  }
  const Refusal* find(Sequence record) const {
    const auto named =
        std::ranges::lower_bound(named_, record, {}, [](const Named& n) { return n.range.last; });
    return named != named_.end() && named->range.first <= record ? named->by : rest_;
  }

 private:
  struct Named {
    SequenceRange range;
    const Refusal* by;
  };
  std::vector<Named> named_;
  const Refusal* rest_ = nullptr;  // of all that are not named
};

void mark(DeadLetter& letter, const Refusal& refusal) {
  letter.given_up = refusal.given_up;
  letter.attempts = refusal.attempts;
  letter.reason = refusal.reason.substr(0, kMaxDeadLetterReason);
}

class Collector {
 public:
  Collector(const Claim& claim, const Lookup& refused) : claim_(claim), refused_(refused) {}

  void add(const DecodedBlock& block) {
    RecordReader reader(block);
    Record record;
    for (std::uint32_t i = 0; reader.next(record); ++i) {
      const Position at{block.header.number, i};
      if (at < claim_.begin || at >= claim_.end) continue;
      if (const Refusal* const refusal = refused_.find(record.sequence))
        letters_.push_back(letter(record, *refusal));
    }
  }
  std::vector<DeadLetter> take() { return std::move(letters_); }

 private:
  DeadLetter letter(const Record& record, const Refusal& refusal) const {
    DeadLetter letter;
    letter.lane = claim_.lane;
    letter.sequence = record.sequence;
    letter.time = record.time;
    letter.body = record.body;
    letter.file = record.file;
    letter.begin = record.begin;
    letter.truncated = record.truncated;
    letter.partial = record.partial;
    for (const Attribute& a : record.attributes) letter.attributes.emplace_back(a.name, a.value);
    mark(letter, refusal);
    return letter;
  }

  const Claim& claim_;
  const Lookup& refused_;
  std::vector<DeadLetter> letters_;
};

// Those of a replay that were refused again: they are there already.
Result<std::vector<DeadLetter>> collect_again(Store& store, const Claim& replay,
                                              const Lookup& refused) {
  std::vector<DeadLetter> letters;
  for (const std::uint64_t id : replay.letters) {
    auto letter = store.dead_letter(id);
    if (!letter && letter.error().code != ErrorCode::kCorrupt)
      return tl::unexpected(letter.error());
    if (!letter || !*letter) continue;
    const Refusal* const refusal = refused.find((*letter)->sequence);
    if (refusal == nullptr) continue;
    mark(**letter, *refusal);
    letters.push_back(std::move(**letter));
  }
  return letters;
}

}  // namespace

void Refusals::add(Refusal refusal) {
  for (std::string* words : {&refusal.reason, &refusal.shown})
    words->resize(std::min(words->size(), kMaxDeadLetterReason));
  if (reason_bytes_ < kMaxReasonBytes) {
    reason_bytes_ +=
        refusal.reason.size() + refusal.shown.size() + refusal.kind.size() + sizeof(Refusal);
    return all_.push_back(std::move(refusal));
  }
  const auto alike = std::find_if(all_.rbegin(), all_.rend(),
                                  [&](const Refusal& other) { return other.kind == refusal.kind; });
  Refusal& other = alike == all_.rend() ? all_.back() : *alike;
  other.records.insert(other.records.end(), refusal.records.begin(), refusal.records.end());
}

std::string Refusals::kinds() const {
  std::set<std::string_view> kinds;
  for (const Refusal& refusal : all_) kinds.insert(refusal.kind);
  return fmt::format("{}", fmt::join(kinds, ", "));
}

std::vector<SequenceRange> ranges_of(std::vector<Sequence> records) {
  std::ranges::sort(records);
  std::vector<SequenceRange> ranges;
  for (const Sequence record : records) {
    if (!ranges.empty() && record <= ranges.back().last + 1)
      ranges.back().last = record;
    else
      ranges.push_back({record, record});
  }
  return ranges;
}

Result<std::vector<DeadLetter>> collect_dead_letters(Store& store, const Claim& claim,
                                                     const std::vector<Refusal>& refusals) {
  const Lookup refused(refusals);
  if (claim.replay()) return collect_again(store, claim, refused);
  Collector collector(claim, refused);
  for (BlockNumber from = claim.begin.block;;) {
    EH_ASSIGN(const auto info, store.next_block(claim.lane.source, from));
    if (!info || Position{info->number, 0} >= claim.end) return collector.take();
    from = info->number + 1;
    const auto block = store.read_decoded(info->number);
    if (block) {
      collector.add(*block);
    } else if (block.error().code != ErrorCode::kCorrupt &&
               block.error().code != ErrorCode::kNotFound) {
      return tl::unexpected<Error>(block.error());
    }
  }
}

}  // namespace edgehose
