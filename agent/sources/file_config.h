// Options of `type = "file"` sources. Values only; the declared fields are in file_config.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/types.h"
#include "agent/config/fields_fwd.h"

namespace edgehose {

enum class StartAt { kBeginning, kEnd };

struct FileSourceConfig {
  std::string name;                        // the table's: [sources.NAME]
  std::vector<std::string> paths;          // globs, ** crosses directories
  std::vector<std::string> exclude;        // globs on the path or, without '/', on the file's name
  StartAt start_at = StartAt::kBeginning;  // for files never seen before
  std::uint64_t max_record_bytes = 1 << 20;           // longer lines are truncated and marked
  Duration poll_interval = std::chrono::seconds(10);  // the slow rescan beside inotify
  Duration ignore_older{};  // 0: never; else files not modified for this long when first seen
  Duration partial_line_timeout =
      std::chrono::seconds(30);  // a last line without LF ships after it
  std::uint64_t max_open_files = 64;
};

config::Fields<FileSourceConfig> file_source_fields();

}  // namespace edgehose
