// The environment that takes a damaged one's place: a reference to each block that was kept
// (archive.h), and the small state that agrees with them (rebuild.h).
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "buffer/archive.h"
#include "buffer/keys.h"
#include "buffer/rebuild.h"
#include "buffer/salvage.h"
#include "buffer/store.h"

namespace edgehose {

struct NewEnvironment {
  std::string path;                       // where it is made; what lies there is replaced
  const std::vector<ArchiveFile>& files;  // where the blocks lie; the damaged environment last
  SalvageState salvage;                   // what earlier salvages counted, without archives
  const StoreOptions& options;
};

struct Referred {
  std::uint64_t blocks = 0, records = 0;
  std::uint64_t left_out = 0;  // the oldest, whose references did not fit, or in too many files
  SalvageState salvage;
  Losses losses;
};

// Durable on return, the copies outside too: numbers that are given from now on are in neither of
// the old ones.
Result<Referred> make_environment(const NewEnvironment& input, std::vector<BlockSummary> blocks,
                                  Rebuild& rebuild, const Keyring& keys);

}  // namespace edgehose
