// Is the environment file sound? Asked at every start, before it is opened for writing.
//
// First the meta pages are read by hand: a file of another word size, byte order or LMDB version is
// recognised and refused, never touched. Then a forked child opens the file read-only, walks every
// key and the free list, decodes every small value and checks the newest blocks: damage makes LMDB
// crash as often as it makes it fail, and the child's signal is an answer too. The child hands back
// what it could read, so that a salvage has the positions of the last commit where they are sound.
//
// Threading: one call at a time. Other threads may run: the child takes no lock of theirs (it logs
// nothing), and dies with the thread that called.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "buffer/copies.h"
#include "buffer/lmdb.h"
#include "buffer/store.h"

namespace edgehose {

// How far back the newest blocks are checked; older ones are when they are read.
constexpr std::size_t kCheckBlocks = 256;
constexpr std::uint64_t kCheckBytes = 64ull << 20;

struct LiveBlock {
  SourceId source;
  std::uint64_t size = 0;               // of what stands there: the block, or a reference to it
  std::optional<std::uint64_t> offset;  // in the file
};

struct EnvironmentCheck {
  bool sound = false;
  std::string reason;      // what is damaged, in words
  bool complete = false;   // `entries` and `blocks` are all that the last commit held
  ControlEntries entries;  // small values and dead letters, verbatim
  std::map<BlockNumber, LiveBlock> blocks;
};

// kUnsupported, with instructions: an intact file that this program must not touch. Other errors:
// the check itself could not be made.
Result<EnvironmentCheck> check_environment(const std::string& path, const StoreOptions& options);

// For readers, before their first transaction: kCorrupt for a truncated file, whose missing pages
// would end the process by a signal.
Status refuse_truncated(const lmdb::Environment& environment, const std::string& path,
                        const StoreOptions& options);

}  // namespace edgehose
