// Makes the sources of `type = "file"`: each tails the files that its globs name, through
// rotation, truncation, compression, restarts and reboots, every line once.
//
// All file sources of a process are made together: they share one table of files (a position
// belongs to a file, not to the name of a source; a file that two sources name is read by the
// first) and one inotify instance. They live on the intake thread, like the Store's writer.
//
// How files are recognised, what is lost when, memory per file: README.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/sources/file_config.h"
#include "agent/sources/source.h"
#include "buffer/store.h"

namespace edgehose {

struct FileEnvironment {
  // run --once: a last line without LF ships as soon as everything else is read; caught_up() turns
  // true when all that was there at the first drain() is handed in.
  bool once = false;
  // False: no inotify, rescans alone, as where its instances are used up.
  bool inotify = true;
  // What comes of max_open_files, by source, where descriptors are shared (descriptors.h). Empty:
  // as the configs have it.
  std::vector<std::uint64_t> open_files{};
  // At most so many directories are watched; the others are rescanned. For tests.
  std::size_t max_watches = SIZE_MAX;
  // What no glob of any source names: the agent's own data and its sinks' objects, as in
  // FileSourceConfig::exclude. An agent that reads itself grows for ever.
  std::vector<std::string> exclude{};
  // Descriptors of this process's own output: files behind them are not read either.
  std::vector<int> output{};
  // This boot; empty: /proc/sys/kernel/random/boot_id.
  std::string boot_id;
};

// One source for each config, in that order. Loads the positions of all files from the store. Looks
// at no file yet: that is the first drain(). `store` and `clock` outlive the sources. An error is a
// glob that cannot be one, or a store that cannot be read.
Result<std::vector<std::unique_ptr<Source>>> make_file_sources(
    std::vector<FileSourceConfig> configs, Store& store, const Clock& clock,
    FileEnvironment environment = {});

}  // namespace edgehose
