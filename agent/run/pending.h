// PendingRecords: what one source has handed in and no transaction holds yet. Bounded by the budget
// that all sources share; when it is full, sources stop reading.
//
// Threading: intake thread.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/base/clock.h"
#include "agent/sources/source.h"
#include "buffer/block.h"

namespace edgehose {

// Raw bytes in memory over all sources. One drain may pass it by one block or one record.
struct PendingBudget {
  std::size_t used = 0;
  std::size_t limit = 0;  // set by its owner
};

class PendingRecords final : public RecordSink {
 public:
  PendingRecords(SourceId source, const Clock& clock, PendingBudget& budget)
      : source_(source), clock_(clock), budget_(budget), builder_(source) {}

  // A drain's share is one block: it ends where a block is full, so that a commit for volume
  // finds whole blocks and no remainders.
  void begin_drain() { share_used_ = false; }

  void append(const NewRecord& record) override;
  TakenLines append_lines(const NewLines& lines) override;
  bool full() const override { return share_used_ || budget_.used >= budget_.limit; }
  std::size_t room() const override { return kBlockRawBytes - builder_.raw_bytes(); }

  bool empty() const { return raw_bytes_ == 0; }
  Instant oldest() const { return oldest_; }  // when the first pending record came; kNever if empty
  SourceId source() const { return source_; }
  Counter size() const { return size_; }
  // Closes the block under way; the blocks stay here until clear().
  const std::vector<RawBlock>& blocks();
  void clear();

 private:
  void count(const Counter& taken);

  const SourceId source_;
  const Clock& clock_;
  PendingBudget& budget_;
  BlockBuilder builder_;
  std::vector<RawBlock> blocks_;
  std::size_t raw_bytes_ = 0;
  Counter size_;
  Instant oldest_ = kNever;
  bool share_used_ = false;
};

}  // namespace edgehose
