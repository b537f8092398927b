#include "buffer/quarantine.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/archive.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

constexpr std::string_view kSuffix = ".damaged-";

std::string environment_in(const std::string& directory) {
  return directory + "/" + std::string(keyspace::kEnvironmentFile);
}

}  // namespace

std::uint64_t allocated_bytes(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_blocks) * 512 : 0;
}

std::string file_time(WallTime now) {
  const std::time_t seconds = static_cast<std::time_t>(now.value / 1'000'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::vector<Quarantine> quarantines(const std::string& directory) {
  std::vector<Quarantine> found;
  const std::string prefix = std::string(keyspace::kEnvironmentFile) + std::string(kSuffix);
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* entry = ::readdir(dir)) {
      if (!std::string_view(entry->d_name).starts_with(prefix)) continue;
      const std::string path = directory + "/" + entry->d_name;
      found.push_back({path, allocated_bytes(path)});
    }
    ::closedir(dir);
  }
  std::ranges::sort(found, {}, &Quarantine::path);  // the time is in the name
  return found;
}

std::string free_name(const std::string& start, const Clock& clock) {
  const std::string base = start + file_time(clock.wall());
  std::string path = base;
  for (int n = 2; name_exists(path); ++n) path = fmt::format("{}.{}", base, n);
  return path;
}

std::string free_quarantine_path(const std::string& directory, const Clock& clock) {
  return free_name(environment_in(directory) + std::string(kSuffix), clock);
}

void limit_quarantines(const StoreOptions& options) {
  std::vector<Quarantine> kept = quarantines(options.directory);
  std::uint64_t total = allocated_bytes(environment_in(options.directory));
  for (const ArchiveFile& file : archive_files(options.directory))
    total += allocated_bytes(file.path);
  for (const Quarantine& q : kept) total += q.allocated;
  while (!kept.empty() && (kept.size() > kMaxQuarantines || total > options.max_size)) {
    const Quarantine& oldest = kept.front();
    log::warn("buffer: {} ({}) is deleted: {}", oldest.path, format_size(oldest.allocated),
              kept.size() > kMaxQuarantines ? "there are newer ones"
                                            : "buffer.max_size has no room for it");
    ::unlink(oldest.path.c_str());
    total -= oldest.allocated;
    kept.erase(kept.begin());
  }
}

}  // namespace edgehose
