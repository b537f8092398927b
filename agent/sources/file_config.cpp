#include "agent/sources/file_config.h"

#include "agent/config/field.h"

namespace edgehose {

using namespace config;
using namespace std::chrono_literals;

Fields<FileSourceConfig> file_source_fields() {
  return {
      table_name<&FileSourceConfig::name>(),
      field<&FileSourceConfig::paths>(
          "paths", kRequired,
          "Files to read, as globs: `*` and `?` stay inside a directory, "
          "`**` crosses directories.")
          .each(not_absolute)
          .are_distinct()
          .example(R"(["/var/log/app/**/*.log"])"),
      field<&FileSourceConfig::exclude>(
          "exclude",
          "Files to leave out, as globs: on the file's name, or on the "
          "whole path where the glob has a `/`.")
          .example(R"(["*.tmp"])"),
      choice<&FileSourceConfig::start_at>(
          "start_at", {{"beginning", StartAt::kBeginning}, {"end", StartAt::kEnd}},
          "Where to start in a file that is there at the very first start. Files that appear later "
          "are read from their beginning."),
      size_field<&FileSourceConfig::max_record_bytes>(
          "max_record_bytes",
          "A longer line is truncated to this, marked and counted; the next line is intact.")
          .range(64, 16 << 20),
      field<&FileSourceConfig::poll_interval>(
          "poll_interval",
          "How often to look without being told. File systems that report changes (inotify) are "
          "read at once, and many files there (more than 50 for each second of it) are looked at "
          "more seldom while nothing happens; network file systems are read this often.")
          .range(100ms, 1h),
      field<&FileSourceConfig::ignore_older>(
          "ignore_older",
          "Leave out files that, when first seen, were not modified for this long. `0s`: none.")
          .range(0s, 24h * 3650),
      field<&FileSourceConfig::partial_line_timeout>(
          "partial_line_timeout",
          "A last line without a newline waits this long for its rest, then ships as it is.")
          .range(100ms, 24h),
      field<&FileSourceConfig::max_open_files>(
          "max_open_files",
          "Descriptors held open at once, however many files match; the least recently written are "
          "closed and opened again when they change.")
          .range(1, 4096),
  };
}

}  // namespace edgehose
