// The lock that keeps a second agent off a data_dir: a kernel lock (flock), gone with its process
// however that ended, and the holder's pid as the file's content, for the message.
#pragma once

#include <string>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

// Held while the descriptor is open. kBusy, naming the pid, where another process holds it for
// longer than two seconds: one that was killed lets go when the kernel has taken it apart.
Result<FileDescriptor> take_lock(const std::string& path);

}  // namespace edgehose
