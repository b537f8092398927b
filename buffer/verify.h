// Verify: reads everything that a buffer holds and says whether it agrees with itself. Export:
// hands out every record that can be read, also of a quarantined file. Both are read-only and may
// run beside the agent: each works in one read transaction, the view of one commit.
//
// Threading: one thread. Memory: one block and the list of blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/store.h"

namespace edgehose {

constexpr std::size_t kMaxFindings = 100;

struct VerifyReport {
  std::uint64_t keys = 0;
  std::uint64_t blocks = 0, minis = 0;
  std::uint64_t records = 0, raw_bytes = 0;
  std::uint64_t sources = 0, files = 0, lanes = 0, claims = 0, dead_letters = 0;
  std::uint64_t sequence_gaps = 0;    // places where a source's sequences do not follow on
  std::uint64_t unopened = 0;         // blocks and values whose key is not configured
  std::uint64_t found = 0;            // findings, those beyond the list too
  std::vector<std::string> findings;  // at most kMaxFindings, in words
  bool sound() const { return found == 0; }
};

// Of the environment file at `path` (data_dir/buffer.mdb). kNotFound: no file. A file too damaged
// for LMDB to open is an error; where the walk might crash, recovery's check comes first.
Result<VerifyReport> verify_buffer(const std::string& path, const StoreOptions& options);

using ExportRecord =
    std::function<Status(SourceId source, const BlockHeader& header, const Record& record)>;
struct ExportReport {
  std::uint64_t blocks = 0, records = 0, unreadable_blocks = 0;
};
// Every readable record of the environment at `path`, by block number. An error of `write` ends it.
Result<ExportReport> export_buffer(const std::string& path, const StoreOptions& options,
                                   const ExportRecord& write);
// The same by raw scan, for a damaged or quarantined file; `wrapped`: the data keys of the buffer
// it was taken from (they are in the living one and in its copies).
Result<ExportReport> export_salvaged(const std::string& path, const StoreOptions& options,
                                     const std::vector<std::string>& wrapped, const Clock& clock,
                                     const ExportRecord& write);

}  // namespace edgehose
