// RemainingTree: what of a damaged environment's tree still stands. It is read by hand, past pages
// that are lost; of what those listed, the block numbers between which it lies are known.
//
// LMDB's pages have no checksums, so this is believed only where it holds together: keys in order
// and between those of the branch page above, every small value there and sound (lost pages may
// have listed blocks only), no page of two things, no more pages than the meta page counts. It is
// certain where the commit is known to be the newest, its free list is whole, and pages that belong
// to nothing are exactly as many as are lost.
//
// Threading: pure functions of the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "buffer/archive.h"
#include "buffer/environment_check.h"
#include "buffer/lmdb_pages.h"

namespace edgehose {

struct NumberRange {
  BlockNumber first, last;  // both included
};

struct RemainingTree {
  bool certain = false;                     // all of it is of the newest commit
  ControlEntries entries;                   // every small value and dead letter
  std::map<BlockNumber, LiveBlock> blocks;  // all but those that lost pages listed
  std::vector<NumberRange> lost;            // where those lie, in order
  std::vector<PageSpan> others;  // bytes of the file that nothing of it takes, to the file's end
};

// Of the commit that `meta` describes; `newest`: it is known to be the last one. kCorrupt: it does
// not hold together, in words.
Result<RemainingTree> read_remaining_tree(const std::string& path, const lmdb::MetaPage& meta,
                                          bool newest, const std::vector<WrappingKey>& keys);

}  // namespace edgehose
