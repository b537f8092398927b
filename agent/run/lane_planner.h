// LanePlanner: decides where one lane's next batch ends. It walks the blocks behind the lane's last
// claim, adds up their size and says when the batch is ripe: at its size, or when its oldest record
// has waited long enough.
//
// Threading: intake thread. Holds no I/O of its own: blocks come through the reader it is given, so
// that a transaction shows it the blocks it is about to commit.
//
// Invariants: batches of a lane follow each other without a gap and never overlap; a batch consists
// of whole blocks, except at a place where an earlier claim was cut in two.
#pragma once

#include <functional>
#include <optional>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "buffer/state.h"
#include "buffer/store.h"
#include "sinks/delivery/batch_config.h"

namespace edgehose {

// Reads the first block of a source at or after a number; Store's or Transaction's next_block.
using NextBlock = std::function<Result<std::optional<BlockInfo>>(SourceId, BlockNumber)>;

// Where a lane's first unclaimed block cannot be read, only what the lane counts as waiting (raw
// records from `begin` on) tells how many records it held: the sequence that it began with. None
// where the block can be read, or nothing behind it. `next`: the source's next sequence.
Result<std::optional<Sequence>> first_of_unreadable(const NextBlock& blocks, SourceId source,
                                                    Position begin, std::uint64_t waiting,
                                                    Sequence next);

// How the destination will count a batch, in proportion to what the buffer knows. The default is
// for objects that are the stored frames themselves.
struct SizeEstimate {
  // Destination bytes by what a block holds: all of it where that is exact, else the first guess,
  // rather too much: what is too large for its destination is refused.
  double per_stored_byte = 1, per_raw_byte = 0, per_record = 0;
  bool exact = true;
  // Otherwise: destination bytes per raw byte, a running mean; 0: nothing was delivered yet.
  double ratio = 0;

  std::uint64_t of(const BlockInfo& block) const;
  // A claim of `raw_bytes` became `sent_bytes` at the destination.
  void measured(std::uint64_t raw_bytes, std::uint64_t sent_bytes);
};

// A batch before it has a key.
struct PlannedBatch {
  Position begin, end;
  Sequence first, last;
  Counter size;
  WallTime first_time;
};

class LanePlanner {
 public:
  // `first`: the sequence of the record at `begin`, where that is known.
  LanePlanner(LaneKey lane, Position begin, BatchConfig config,
              std::optional<Sequence> first = std::nullopt);

  const LaneKey& lane() const { return lane_; }
  Position begin() const { return begin_; }

  // Records of this lane were committed (or found at start) that had waited since `since`.
  void arrived(Instant since);
  // Walks on and returns a batch if one is ripe: full (in size, or kBlocksPerLook blocks), past its
  // age at `now`, or `flush` and anything is there. Does not move past it: claimed() does.
  Result<std::optional<PlannedBatch>> next(const NextBlock& blocks, const SizeEstimate& estimate,
                                           Instant now, bool flush);
  // The batch was claimed: the next one begins at its end.
  void claimed(const PlannedBatch& batch);
  // Batches are no larger from now on: what the config says, or less where the destination does.
  void limit_size(std::uint64_t bytes);
  // What lies before `cursor` was dropped: the next batch begins there at the earliest. True where
  // records vanished that no claim covered.
  bool dropped_before(Position cursor);
  // When the age makes a batch of what is committed; kNever where nothing waits.
  Instant ripe_at() const;
  // Unclaimed records may lie behind begin(): something arrived since the walk last reached the
  // end.
  bool has_pending() const { return pending_.size.records > 0 || !at_end_; }

  static constexpr unsigned kBlocksPerLook = 4096;

 private:
  void rewind();
  Status walk(const NextBlock& blocks, const SizeEstimate& estimate);
  bool take(const BlockInfo& block, const SizeEstimate& estimate);
  std::uint64_t passed_over_before(Sequence first) const;

  LaneKey lane_;
  BatchConfig config_;
  Position begin_;  // the first record of the lane that no claim covers
  // The walk: blocks in [begin_, scan_) are in pending_.
  BlockNumber scan_;
  PlannedBatch pending_;
  std::optional<Sequence> claimed_to_, next_;  // behind the last claimed, the last walked; if known
  bool passed_over_ = false;  // what follows next_ first is a block that tells nothing of itself
  std::uint64_t pending_bytes_ = 0;  // as the destination will count them
  bool full_ = false;                // the next block would not fit any more
  bool at_end_ = false;              // the walk saw no further block
  Instant oldest_ = kNever;          // since when the oldest unclaimed record waits
  Instant newest_ = kNever;          // the same for what arrived last: bounds the next batch's wait
};

}  // namespace edgehose
