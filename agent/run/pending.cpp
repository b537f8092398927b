#include "agent/run/pending.h"

namespace edgehose {

void PendingRecords::append(const NewRecord& record) {
  // Beyond this a block counts as full; what is left of it would rarely hold another line.
  constexpr std::size_t kFullEnough = kBlockRawBytes / 16 * 15;
  if (builder_.would_overflow(record)) blocks_.push_back(builder_.take());
  if (oldest_ == kNever) oldest_ = clock_.now();
  builder_.append(record);
  const std::size_t bytes = record.body.size() + 1;
  raw_bytes_ += bytes;
  budget_.used += bytes;
  size_ += Counter{1, bytes};
  if (builder_.raw_bytes() >= kFullEnough) {
    blocks_.push_back(builder_.take());
    share_used_ = true;
  }
}

const std::vector<RawBlock>& PendingRecords::blocks() {
  if (!builder_.empty()) blocks_.push_back(builder_.take());
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
