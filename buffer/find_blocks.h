// The blocks that a salvage keeps. Where the damaged file's tree can still be walked, it tells
// where each of them lies (listed_blocks.h). Where parts of it are lost (remaining_tree.h), what
// those listed is searched in the pages that nothing else takes; else every page is (salvage.h), of
// this file and of those that earlier salvages left.
//
// Threading: one thread; a search has more of its own.
#pragma once

#include <vector>

#include "buffer/archive.h"
#include "buffer/environment_check.h"
#include "buffer/rebuild.h"
#include "buffer/remaining_tree.h"
#include "buffer/salvage.h"
#include "buffer/store.h"

namespace edgehose {

struct FindInput {
  const std::vector<ArchiveFile>& files;  // where blocks may lie; the damaged environment last
  const EnvironmentCheck& check;          // of that one
  const RemainingTree* tree;              // where `check` has what is left of one; null: none
  Instant check_until;                    // when blocks that are listed are not read whole any more
  const Keyring& keys;
  Rebuild& rebuild;  // knows what was delivered; is told of files that a search finds
  const StoreOptions& options;
  const Clock& clock;
};

struct FoundBlocks {
  std::vector<BlockSummary> blocks;  // by number
  std::uint64_t stale = 0;           // delivered, merged or rolled back before
  std::uint64_t damaged = 0;         // failing their check
  std::uint64_t unreadable = 0;      // their data key is lost
  bool complete = true;              // false: there was not the time to search all of it
};

Result<FoundBlocks> find_blocks(const FindInput& input);

}  // namespace edgehose
