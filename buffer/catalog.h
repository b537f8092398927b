// Catalog: which blocks there are, by source, in memory: eight bytes a block, so that finding a
// source's next block costs a binary search instead of a walk over everybody's.
//
// Threading: none of its own; the store guards it.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "buffer/keyspace.h"

namespace edgehose {

class Catalog {
 public:
  using BlockKey = keyspace::BlockKey;

  // Numbers of one source come in ascending order.
  void add(BlockKey key) { blocks_[key.source].push_back(key.number); }

  void remove(BlockKey key) {
    const auto found = blocks_.find(key.source);
    if (found == blocks_.end()) return;
    auto& numbers = found->second;
    const auto at = std::ranges::lower_bound(numbers, key.number);
    if (at != numbers.end() && *at == key.number) numbers.erase(at);
    if (numbers.empty()) blocks_.erase(found);
  }

  // The first block of `source` (0: of any) at or after `from`.
  std::optional<BlockKey> next(SourceId source, BlockNumber from) const {
    if (source.value != 0) {
      const auto found = blocks_.find(source);
      return found == blocks_.end() ? std::nullopt : first_of(found->first, found->second, from);
    }
    std::optional<BlockKey> first;
    for (const auto& [id, numbers] : blocks_) {
      const auto key = first_of(id, numbers, from);
      if (key && (!first || key->number < first->number)) first = key;
    }
    return first;
  }

  std::size_t size() const {
    std::size_t n = 0;
    for (const auto& [id, numbers] : blocks_) n += numbers.size();
    return n;
  }

 private:
  static std::optional<BlockKey> first_of(SourceId source, const std::deque<BlockNumber>& numbers,
                                          BlockNumber from) {
    const auto at = std::ranges::lower_bound(numbers, from);
    if (at == numbers.end()) return std::nullopt;
    return BlockKey{*at, source};
  }

  std::map<SourceId, std::deque<BlockNumber>> blocks_;
};

}  // namespace edgehose
