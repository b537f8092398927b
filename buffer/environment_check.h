// Is the environment file sound? Asked at every start, before it is opened for writing.
//
// First the meta pages are read by hand (meta_pages.h): a file of another word size, byte order or
// LMDB version is recognised, and is as unreadable as one of a later format. Then a forked child
// opens the file read-only, walks every key and the free list, decodes every small value and checks
// the newest blocks (environment_walk.h): damage makes LMDB crash as often as it makes it fail, and
// the child's signal is an answer too. The child hands back what it could read, so that a salvage
// has the positions of the last commit where they are sound. What the machine refuses (memory,
// descriptors, permission) is an error, never damage.
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
#include "buffer/lmdb_pages.h"
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

// What is known of the last commit before its tree is walked.
struct NewestCommit {
  lmdb::MetaPage meta;
  bool certain = false;  // that it is the last one, and not the one before (meta_pages.h)
};

struct EnvironmentCheck {
  bool sound = false;
  // Intact, as far as is known, and not for this program to touch: kUnsupported, why. `entries` are
  // the small values of a later format, undecoded, where they could be walked.
  std::optional<Error> unreadable;
  std::string reason;      // what is damaged, in words
  bool complete = false;   // `entries` and `blocks` are all that the last commit held
  ControlEntries entries;  // small values, and the dead letters of what is damaged; verbatim
  std::map<BlockNumber, LiveBlock> blocks;
  std::optional<NewestCommit> newest;  // none: neither meta page tells
};

enum class CheckDepth {
  kStructure,     // every key and page: what is needed to read it without a crash
  kNewestBlocks,  // and every small value, and the newest blocks' checksums
};

// Errors: the check itself could not be made.
Result<EnvironmentCheck> check_environment(const std::string& path, const StoreOptions& options,
                                           CheckDepth depth = CheckDepth::kNewestBlocks);

// For readers, before LMDB opens the file: kCorrupt for a damaged one, kUnsupported for one that is
// unreadable here, with what to do. Reading them could end the process by a signal.
Status refuse_damaged(const std::string& path, const StoreOptions& options);

}  // namespace edgehose
