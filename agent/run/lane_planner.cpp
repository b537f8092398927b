#include "agent/run/lane_planner.h"

#include <algorithm>

#include "agent/base/check.h"

namespace edgehose {

std::uint64_t SizeEstimate::of(const BlockInfo& block) const {
  const double bytes = !exact && ratio > 0
                           ? block.body_raw * ratio
                           : block.body_stored * per_stored_byte + block.body_raw * per_raw_byte +
                                 block.records * per_record;
  return static_cast<std::uint64_t>(bytes);
}

void SizeEstimate::measured(std::uint64_t raw_bytes, std::uint64_t sent_bytes) {
  if (exact || raw_bytes == 0 || sent_bytes == 0) return;
  const double now = static_cast<double>(sent_bytes) / static_cast<double>(raw_bytes);
  constexpr double kWeight = 0.25;  // the mean follows the last few batches
  ratio = ratio <= 0 ? now : ratio + kWeight * (now - ratio);
}

// What waits is held, lies in a gap that sequences show, or was in the blocks in front.
Result<std::optional<Sequence>> first_of_unreadable(const NextBlock& blocks, SourceId source,
                                                    Position begin, std::uint64_t waiting,
                                                    Sequence next) {
  // Beyond it sequences were skipped on purpose, after a salvage.
  constexpr std::uint64_t kLargestGap = 1u << 31;
  std::optional<Sequence> first, end;  // of what can be read
  std::uint64_t known = 0;
  bool gap = false;
  const auto note_gap = [&](Sequence to) {
    if (gap && *end < to && to - *end < kLargestGap) known += to - *end;
    gap = false;
  };
  EH_ASSIGN(std::optional<BlockInfo> block, blocks(source, begin.block));
  if (!block || block->records > 0) return std::nullopt;
  while (block) {
    if (block->records == 0) {
      gap = end.has_value();
    } else {
      if (!first) first = block->first;
      note_gap(block->first);
      known += block->records;
      end = block->first + block->records;
    }
    EH_ASSIGN(block, blocks(source, block->number + 1));
  }
  if (!first) return std::nullopt;
  note_gap(next);
  const std::uint64_t lost = waiting - std::min(waiting, known);
  if (lost >= first->value) return std::nullopt;
  return Sequence(first->value - lost);
}

LanePlanner::LanePlanner(LaneKey lane, Position begin, BatchConfig config,
                         std::optional<Sequence> first)
    : lane_(lane), config_(config), begin_(begin), claimed_to_(first) {
  rewind();
}

void LanePlanner::rewind() {
  scan_ = begin_.block;
  pending_ = {};
  pending_.begin = pending_.end = begin_;
  pending_bytes_ = 0;
  next_ = claimed_to_;
  passed_over_ = false;
  full_ = false;
  at_end_ = false;
}

void LanePlanner::arrived(Instant since) {
  at_end_ = false;
  newest_ = since;
  oldest_ = std::min(oldest_, since);
}

// How many records the blocks with damaged headers before `first` held. They are part of the batch,
// whose object lacks them, and so are counted.
std::uint64_t LanePlanner::passed_over_before(Sequence first) const {
  return passed_over_ && next_ && *next_ < first ? first - *next_ : 0;
}

// Adds a block to the pending batch; false where the batch is full without it.
bool LanePlanner::take(const BlockInfo& block, const SizeEstimate& estimate) {
  const std::uint64_t bytes = estimate.of(block);
  if (pending_.size.records > 0 && pending_bytes_ + bytes > config_.max_size) {
    full_ = true;
    return false;
  }
  const std::uint32_t skipped = block.number == begin_.block ? begin_.record : 0;
  EH_CHECK(skipped < block.records);
  const std::uint64_t lost = passed_over_before(block.first + skipped);
  if (pending_.size.records == 0) {
    pending_.first = lost > 0 ? *next_ : block.first + skipped;
    pending_.first_time = block.first_time;
  }
  pending_.size.records += lost;
  pending_.last = block.first + (block.records - 1);
  next_ = pending_.last + 1;
  passed_over_ = false;
  // Where a claim was cut inside this block the bytes are in proportion; intake makes them exact.
  pending_.size += Counter{block.records - skipped, std::uint64_t{block.body_raw} *
                                                        (block.records - skipped) / block.records};
  pending_bytes_ += bytes;
  scan_ = block.number + 1;
  pending_.end = Position{scan_, 0};
  full_ = pending_bytes_ >= config_.max_size;
  return true;
}

Status LanePlanner::walk(const NextBlock& blocks, const SizeEstimate& estimate) {
  bool rewound = false;
  for (unsigned looked = 0; !full_ && !at_end_; ++looked) {
    if (looked == kBlocksPerLook) {
      full_ = true;  // a batch of so many blocks is large enough, however small they are
      break;
    }
    EH_ASSIGN(const std::optional<BlockInfo> block, blocks(lane_.source, scan_));
    if (!block) {
      at_end_ = true;
      break;
    }
    if (block->records == 0) {
      scan_ = block->number + 1;
      passed_over_ = true;
      continue;
    }
    // A merge put records that were counted already into this block: count them anew. Where it is
    // so again, sequences go back, and the batch ends in front of it.
    if (pending_.size.records > 0 && block->first <= pending_.last) {
      full_ = rewound;
      if (full_) break;
      rewound = true;
      rewind();
      continue;
    }
    if (!take(*block, estimate)) break;
  }
  return {};
}

Result<std::optional<PlannedBatch>> LanePlanner::next(const NextBlock& blocks,
                                                      const SizeEstimate& estimate, Instant now,
                                                      bool flush) {
  EH_TRY(walk(blocks, estimate));
  if (pending_.size.records == 0) {
    oldest_ = kNever;
    return std::nullopt;
  }
  if (!full_ && !flush && now < ripe_at()) return std::nullopt;
  // Blocks of an earlier walk may have been merged since: what is claimed is walked afresh.
  rewind();
  EH_TRY(walk(blocks, estimate));
  return pending_;
}

void LanePlanner::claimed(const PlannedBatch& batch) {
  EH_CHECK(batch.begin == begin_ && batch.end > begin_);
  const bool was_end = at_end_;
  begin_ = batch.end;
  claimed_to_ = batch.last + 1;
  rewind();
  at_end_ = was_end && !full_;
  // What is left arrived at the latest with the newest: waiting since then is an upper bound that
  // keeps one batch from pulling the next one along.
  oldest_ = at_end_ ? kNever : newest_;
}

void LanePlanner::limit_size(std::uint64_t bytes) {
  if (bytes == config_.max_size) return;
  config_.max_size = bytes;
  rewind();
}

bool LanePlanner::dropped_before(Position cursor) {
  if (cursor <= begin_) return false;
  begin_ = cursor;
  claimed_to_.reset();  // the next record that is there begins the batch
  rewind();
  return true;
}

Instant LanePlanner::ripe_at() const {
  if (oldest_ == kNever || !has_pending()) return kNever;
  return oldest_ + config_.age();
}

}  // namespace edgehose
