#include "buffer/missing_records.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace edgehose {

MissingRecords::MissingRecords(const std::vector<BlockSummary>& listed,
                               std::vector<NumberRange> lost)
    : lost_(std::move(lost)) {
  for (const BlockSummary& block : listed)
    listed_[block.source].push_back({block.first, block.end(), block.number});
  for (auto& [source, blocks] : listed_) std::ranges::sort(blocks, {}, &Listed::first);
}

bool MissingRecords::lost_between(std::uint64_t before, std::uint64_t after) const {
  return std::ranges::any_of(lost_, [&](const NumberRange& range) {
    return range.last.value > before && range.first.value < after;
  });
}

bool MissingRecords::hold(const BlockSummary& block) const {
  std::uint64_t before = 0, after = std::numeric_limits<std::uint64_t>::max();
  if (const auto of_source = listed_.find(block.source); of_source != listed_.end()) {
    const auto& blocks = of_source->second;
    const auto next = std::ranges::upper_bound(blocks, block.first, {}, &Listed::first);
    if (next != blocks.begin()) {
      if (std::prev(next)->end > block.first) return false;
      before = std::prev(next)->number.value;
    }
    if (next != blocks.end()) {
      if (next->first < block.end()) return false;
      after = next->number.value;
    }
  }
  return block.number.value > before && block.number.value < after && lost_between(before, after);
}

}  // namespace edgehose
