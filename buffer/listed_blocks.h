// The blocks that a tree lists, read where it says they lie: the first page of each, then all of
// them while there is time, the newest first. What is lost of those may still stand in the files
// they came from; the others are checked when they are read.
//
// Threading: one thread calls; more read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/archive.h"
#include "buffer/environment_check.h"
#include "buffer/keys.h"
#include "buffer/open_progress.h"
#include "buffer/salvage.h"

namespace edgehose {

struct ListedBlocks {
  const std::vector<ArchiveFile>& files;  // where blocks may lie; the one with the tree last
  const std::map<BlockNumber, LiveBlock>& blocks;  // each with its offset
  const Keyring& keys;
  const Clock& clock;
  Instant check_until;
  OpenProgress& progress;
};

// In the order of `blocks`. None: what lies there is neither that block nor a reference to it, or
// fails its check. `checked` is false where the data key is lost.
Result<std::vector<std::optional<BlockSummary>>> read_listed(const ListedBlocks& input);

}  // namespace edgehose
