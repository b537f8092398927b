#include "sinks/delivery/dead_letters.h"

#include <unordered_set>

namespace edgehose {
namespace {

class Collector {
 public:
  Collector(const Claim& claim, const Refusal& refusal)
      : claim_(claim), refusal_(refusal), wanted_(refusal.records.begin(), refusal.records.end()) {}

  void add(const DecodedBlock& block) {
    RecordReader reader(block);
    Record record;
    for (std::uint32_t i = 0; reader.next(record); ++i) {
      const Position at{block.header.number, i};
      if (at < claim_.begin || at >= claim_.end) continue;
      if (wanted_.empty() || wanted_.contains(record.sequence)) letters_.push_back(letter(record));
    }
  }
  std::vector<DeadLetter> take() { return std::move(letters_); }

 private:
  DeadLetter letter(const Record& record) const {
    DeadLetter letter;
    letter.lane = claim_.lane;
    letter.sequence = record.sequence;
    letter.time = record.time;
    letter.given_up = refusal_.given_up;
    letter.attempts = refusal_.attempts;
    letter.reason = refusal_.reason.substr(0, kMaxDeadLetterReason);
    letter.body = record.body;
    letter.file = record.file;
    letter.begin = record.begin;
    letter.truncated = record.truncated;
    letter.partial = record.partial;
    for (const Attribute& a : record.attributes) letter.attributes.emplace_back(a.name, a.value);
    return letter;
  }

  const Claim& claim_;
  const Refusal& refusal_;
  const std::unordered_set<Sequence> wanted_;
  std::vector<DeadLetter> letters_;
};

// Those of a replay that were refused again: they are there already.
Result<std::vector<DeadLetter>> collect_again(Store& store, const Claim& replay,
                                              const Refusal& refusal) {
  const std::unordered_set<Sequence> wanted(refusal.records.begin(), refusal.records.end());
  std::vector<DeadLetter> letters;
  for (const std::uint64_t id : replay.letters) {
    auto letter = store.dead_letter(id);
    if (!letter && letter.error().code != ErrorCode::kCorrupt)
      return tl::unexpected(letter.error());
    if (!letter || !*letter) continue;
    if (!wanted.empty() && !wanted.contains((*letter)->sequence)) continue;
    (*letter)->given_up = refusal.given_up;
    (*letter)->attempts = refusal.attempts;
    (*letter)->reason = refusal.reason.substr(0, kMaxDeadLetterReason);
    letters.push_back(std::move(**letter));
  }
  return letters;
}

}  // namespace

Result<std::vector<DeadLetter>> collect_dead_letters(Store& store, const Claim& claim,
                                                     const Refusal& refusal) {
  if (claim.replay()) return collect_again(store, claim, refusal);
  Collector collector(claim, refusal);
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
