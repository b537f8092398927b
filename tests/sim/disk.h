// The disk as the process sees it: this program's own write and sync calls (disk.cpp defines
// them, so that the agent's code and LMDB call these) know which bytes of a file are safe, and fail
// where they are told to.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>

namespace edgehose::sim::disk {

// Forgets everything, and has writes and syncs below `directory` fail as armed.
void begin(const std::string& directory);

enum class Fault { kFull, kIo };  // ENOSPC, EIO
// The next `calls` writes and syncs below the directory fail.
void arm(Fault fault, unsigned calls);
void disarm();

// Bytes of the file, as it is now, that the last sync of it has made safe.
std::uint64_t synced_size(const std::string& path);
// All that the file has is on the disk: it was read from there after a boot.
void all_is_safe(const std::string& path);
// The file is cut to that, or begins anew: nothing beyond is safe.
void forget_beyond(const std::string& path, std::uint64_t size);

}  // namespace edgehose::sim::disk
