#include "agent/run/half_cut.h"

#include <algorithm>

namespace edgehose {

HalfCut::HalfCut(const Claim& claim)
    : claim_(claim), half_(std::max<std::uint64_t>(1, claim.size.records / 2)), front_(claim) {
  front_.size = {};
  front_.resumed = false;
  back_ = front_;
}

void HalfCut::cut_before(Position at, Sequence first, WallTime time, bool enough) {
  const std::uint64_t before = front_.size.records;
  if (done_ || !enough || before == 0 || before >= claim_.size.records) return;
  front_.size.bytes = std::min(front_.size.bytes, claim_.size.bytes);
  front_.end = back_.begin = at;
  back_.first = first;
  back_.first_time = time;
  back_.size = {claim_.size.records - before, claim_.size.bytes - front_.size.bytes};
  done_ = true;
}

void HalfCut::add(const DecodedBlock& block) {
  RecordReader reader(block);
  Record record;
  for (std::uint32_t i = 0; reader.next(record); ++i) {
    const Position at{block.header.number, i};
    if (at < claim_.begin) continue;
    if (at < claim_.end) count_skipped(record.sequence);
    cut_before(at, record.sequence, record.time, front_.size.records >= half_);
    if (done_ || at >= claim_.end) return;
    front_.last = record.sequence;
    front_.size += Counter{1, record.body.size() + 1};
  }
}

// Records of blocks whose headers are damaged too show in the sequence numbers behind them.
void HalfCut::count_skipped(Sequence next) {
  const Sequence expected = claim_.first + front_.size.records;
  if (next <= expected) return;
  front_.size.records += next - expected;
  front_.last = claim_.first + (front_.size.records - 1);
}

void HalfCut::add_damaged(const BlockInfo& block) {
  if (block.records == 0) {  // nobody knows how many: the rest of the claim begins with them
    cut_before({block.number, 0}, claim_.first + front_.size.records, claim_.first_time, true);
    return;
  }
  const std::uint32_t skipped = block.number == claim_.begin.block ? claim_.begin.record : 0;
  const std::uint32_t end = block.number == claim_.end.block ? claim_.end.record : block.records;
  if (skipped >= end) return;
  const std::uint64_t records = end - skipped;
  count_skipped(block.first + skipped);
  cut_before({block.number, skipped}, block.first + skipped, block.first_time,
             front_.size.records + records >= half_);
  if (done_) return;
  front_.last = block.first + (end - 1);
  front_.size += Counter{records, std::uint64_t{block.body_raw} * records / block.records};
}

std::vector<Claim> HalfCut::parts() const {
  if (done_) return {front_, back_};
  Claim whole = claim_;
  whole.resumed = false;
  return {whole};
}

}  // namespace edgehose
