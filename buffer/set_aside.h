// SetAside: buffers that this release must not read: of a later format, of another word size or
// byte order, of another LMDB. They are neither refused, which would keep the agent from reading
// logs, nor changed: buffer.mdb, its copies and its archives move into a directory of their own
// below data_dir, `set-aside-<UTC time>`, which is a data_dir like any other for the release or
// machine that can read it. A new buffer takes the place.
//
// The new buffer takes over who files are and how far they were read, and what sinks have learned:
// within a major version these only grow (format.h). They come from the last commit where the file
// can be walked, else from the copies, which are portable. Its epoch is new and its numbers are
// higher, so no record of it ever has the identity of one that was set aside.
//
// Nothing here is ever deleted: at most kMaxSetAside are kept, and a further one is refused.
//
// Threading: under the lock of data_dir, before any other thread uses the buffer; listing: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/copies.h"
#include "buffer/store.h"

namespace edgehose {

constexpr std::size_t kMaxSetAside = 2;

struct SetAside {
  std::string directory;
  std::uint64_t allocated = 0;  // bytes on the disk
};
std::vector<SetAside> set_aside_buffers(const std::string& data_dir);  // oldest first

// Whether the error says that an intact buffer is another's to read.
bool is_unreadable(const Error& error);

// `why`: what it cannot be read for. `entries`: the last commit's small values; none: the copies'.
// Errors leave everything as it was: `why` itself where kMaxSetAside are there, kAuth where what is
// taken over needs a key that is not there.
Status set_aside(const StoreOptions& options, const Clock& clock, const Error& why,
                 ControlEntries entries);

// What a crash left half moved. Before anything else looks for a buffer.
Status finish_setting_aside(const StoreOptions& options, const Clock& clock);

}  // namespace edgehose
