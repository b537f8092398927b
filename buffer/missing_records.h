// MissingRecords: records that blocks should hold which a damaged tree does not list any more. A
// search of the other pages finds those blocks, and with them what was freed before: delivered,
// dropped or merged. What lies between two blocks of its source that are listed, where something
// was lost between them, was held; nothing else was.
//
// Threading: one thread.
#pragma once

#include <map>
#include <vector>

#include "buffer/remaining_tree.h"
#include "buffer/salvage.h"

namespace edgehose {

class MissingRecords {
 public:
  // `listed`: by number, as they are kept; `lost`: numbers that are not, in any order.
  MissingRecords(const std::vector<BlockSummary>& listed, std::vector<NumberRange> lost);

  // Whether the block can be one that is missing, by its number and records.
  bool hold(const BlockSummary& block) const;

 private:
  // Whether anything is lost between these numbers, both left out.
  bool lost_between(std::uint64_t before, std::uint64_t after) const;

  struct Listed {
    Sequence first, end;
    BlockNumber number;
  };
  std::map<SourceId, std::vector<Listed>> listed_;  // by first
  std::vector<NumberRange> lost_;
};

}  // namespace edgehose
