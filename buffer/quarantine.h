// Quarantines: damaged buffers that are kept for whoever wants to look into them, named
// buffer.mdb.damaged-<UTC time>. They count against buffer.max_size.
//
// Threading: pure functions of the file system; changes under the lock of data_dir.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "buffer/store.h"

namespace edgehose {

constexpr std::size_t kMaxQuarantines = 2;

struct Quarantine {
  std::string path;
  std::uint64_t allocated = 0;  // bytes on the disk
};
// Bytes on the disk of one file; 0 where it is not there.
std::uint64_t allocated_bytes(const std::string& path);
// As it stands in names: "20231114T221320Z".
std::string file_time(WallTime now);
// `start` and the time, and a number where something has that name already.
std::string free_name(const std::string& start, const Clock& clock);
// Oldest first.
std::vector<Quarantine> quarantines(const std::string& directory);
// A name that no file has.
std::string free_quarantine_path(const std::string& directory, const Clock& clock);
// Deletes the oldest beyond kMaxQuarantines, and all that do not fit into max_size beside the
// buffer and its archives, with a line in the log.
void limit_quarantines(const StoreOptions& options);

}  // namespace edgehose
