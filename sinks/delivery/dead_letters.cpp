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
    letter.reason = refusal_.reason.substr(0, kDeadLetterReasonBytes);
    letter.body = record.body;
    return letter;
  }

  const Claim& claim_;
  const Refusal& refusal_;
  const std::unordered_set<Sequence> wanted_;
  std::vector<DeadLetter> letters_;
};

}  // namespace

Result<std::vector<DeadLetter>> collect_dead_letters(Store& store, const Claim& claim,
                                                     const Refusal& refusal) {
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
