// The locks that keep a second agent off a data_dir: kernel locks (flock), gone with their process
// however that ended. One is on the directory itself, so that it outlives a deleted file; one on a
// file in it whose content is the holder's pid, for the message.
#pragma once

#include <string>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

// Held while the descriptor is open. kBusy, naming the pid, where another process holds it for
// longer than two seconds: one that was killed lets go when the kernel has taken it apart. A full
// disk is no obstacle.
Result<FileDescriptor> take_lock(const std::string& path);
// The same for a directory; the pid is the kernel's.
Result<FileDescriptor> lock_directory(const std::string& path);

}  // namespace edgehose
