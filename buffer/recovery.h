// Recovery: makes sure that the environment is sound before it is opened for writing, and where it
// is not, puts a new one in its place with everything that can still be read. RECOVERY.md tells it
// from the outside.
//
// A new environment is made of references to its blocks and of its small state
// (new_environment.h). The damaged file stays beside it as an archive, to be delivered from, or,
// where it holds nothing, as a quarantine. At every instant there is either the old file or a
// complete new one to start from.
//
// Threading: under the lock of data_dir, before any other thread uses the buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/rebuild.h"
#include "buffer/store.h"

namespace edgehose {

struct RecoveryReport {
  bool damaged = false;  // false: sound, or there was no buffer; nothing below is filled in
  std::string reason;
  std::string quarantine;                 // where the damaged file lies now; empty: not kept
  bool archived = false;                  // it holds what was salvaged (archive.h)
  bool empty = false;                     // there was nothing in it to be kept
  std::uint64_t blocks = 0, records = 0;  // salvaged
  std::uint64_t stale = 0;                // found, but delivered, merged or rolled back before
  std::uint64_t damaged_blocks = 0;       // found, failing their check
  std::uint64_t unreadable_blocks = 0;    // encrypted with a data key that is lost
  std::uint64_t left_out = 0;             // their references did not fit
  bool scan_complete = true;
  Losses losses;

  std::string words() const;
};

// One that this release must not read is set aside (set_aside.h), damaged or not: then there is
// nothing to report. Errors leave everything as it was: kUnsupported and kAuth tell what to do.
Result<RecoveryReport> recover_if_needed(const StoreOptions& options, const Clock& clock);

}  // namespace edgehose
