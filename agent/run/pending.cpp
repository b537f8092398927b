#include "agent/run/pending.h"

namespace edgehose {

void PendingRecords::append(const NewRecord& record) {
  if (builder_.would_overflow(record)) blocks_.push_back(builder_.take());
  builder_.append(record);
  count({1, record.body.size() + 1});
}

TakenLines PendingRecords::append_lines(const NewLines& lines) {
  const TakenLines taken = builder_.append_lines(lines);
  if (taken.records > 0) count({taken.records, taken.bytes});
  return taken;
}

void PendingRecords::count(const Counter& taken) {
  // Beyond this a block counts as full; what is left of it would rarely hold another line.
  constexpr std::size_t kFullEnough = kBlockRawBytes / 16 * 15;
  if (oldest_ == kNever) oldest_ = clock_.now();
  raw_bytes_ += static_cast<std::size_t>(taken.bytes);
  budget_.used += static_cast<std::size_t>(taken.bytes);
  size_ += taken;
  if (builder_.raw_bytes() >= kFullEnough) {
    blocks_.push_back(builder_.take());
    share_used_ = true;
  }
}

const std::vector<RawBlock>& PendingRecords::blocks() {
  if (!builder_.empty()) blocks_.push_back(builder_.take());
  if (!blocks_.empty()) {
    const bool slow = comes_slowly(raw_bytes_, clock_.now() - oldest_);
    for (RawBlock& block : blocks_) block.slow = slow;
  }
  return blocks_;
}

void PendingRecords::clear() {
  blocks_.clear();
  budget_.used -= raw_bytes_;
  raw_bytes_ = 0;
  size_ = {};
  oldest_ = kNever;
}

}  // namespace edgehose
