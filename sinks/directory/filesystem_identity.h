// Which file system a directory is on, in a form that survives reboots and re-plugging, so that a
// bare mount point or another stick is told from the one that was there before.
//
//   "type=ef53 fsid=0123456789abcdef uuid=3f1b..."
//
// The UUID is the block device's, where /dev/disk/by-uuid or udev's record of it knows it. fsid is
// statfs's f_fsid: derived from the UUID by ext4 and others, from the device's number by FAT; 0 for
// file systems in memory, which have no identity across a mount. Pure but for system calls.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

Result<std::string> filesystem_identity(int fd);

// What a record of udev's (/run/udev/data/bMAJOR:MINOR) says, as /dev/disk/by-uuid has it; empty:
// nothing.
std::string uuid_of_record(std::string_view record);

// UUIDs decide where both have one, else types and fsids. An empty one fits everything.
bool same_filesystem(std::string_view expected, std::string_view found);

}  // namespace edgehose
