// Salvage: finds blocks in a damaged environment file without LMDB, by their magic and checksums.
// Small blocks lie inside leaf pages, at any offset; large ones behind the header of an overflow
// page (16 bytes, 12 on 32-bit machines), contiguous. Freed pages still hold old blocks, so a scan
// finds more than was held: choose_blocks() sorts that out.
//
// The file is read in windows with pread, never mapped: a file that is cut short or a sector that
// fails costs that page and no signal.
//
// Threading: pure functions of the file; a scan starts threads of its own and ends them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/archive.h"
#include "buffer/block.h"
#include "buffer/keys.h"
#include "buffer/open_progress.h"

namespace edgehose {

// Larger ones are not ours; also the largest piece of memory that a scan takes.
constexpr std::uint64_t kMaxStoredBlock = 64ull << 20;
constexpr std::size_t kMaxFoundBlocks = 1u << 20;  // about 100 bytes of memory each
constexpr unsigned kScanners = 4;                  // threads, with 2 MiB or a block of memory each

struct ScanResult {
  std::uint64_t bytes = 0;       // of the file that were looked at, without holes
  std::uint64_t unreadable = 0;  // of them, that the disk did not give
  std::uint64_t found = 0;       // blocks handed to the visitor
  std::uint64_t damaged = 0;     // headers whose columns fail their check
  std::uint64_t unchecked = 0;   // of the found: encrypted, and their key is not there
  bool complete = true;          // false: the deadline or the visitor ended it
};

// One block of the file. `stored` is borrowed for the call.
struct FoundBlock {
  const BlockHeader& header;
  std::string_view stored;
  std::uint64_t offset;
  bool checked;  // its CRC or tag fits; false: sealed by a key that `keys` does not have
};

// A key of a leaf page, whosever it was and however old, with a value that stands in the page.
using VisitEntry = std::function<void(std::string_view key, std::string_view value)>;

struct ScanOptions {
  OpenProgress* progress = nullptr;
  VisitEntry visit_entry;  // the keys of the leaf pages that are passed on the way
  // Where blocks are looked for, of whole pages, in order; none: in all of the file.
  std::optional<std::vector<PageSpan>> where;
};

// Visits every block of the file, stale ones too, until `visit` says false; one call at a time. A
// large file is read in kScanners places at once, so they come in no order, and one that happens to
// stand inside another's columns may be among them: see choose_blocks(). Holes are passed over.
// Errors only where the file cannot be opened.
Result<ScanResult> scan_blocks(const std::string& path, const Keyring* keys, const Clock& clock,
                               Instant deadline,
                               const std::function<bool(const FoundBlock&)>& visit,
                               const ScanOptions& options = {});

// What choose_blocks() needs to know of a block; its bytes stay in the file.
struct BlockSummary {
  Epoch epoch{};
  SourceId source;
  BlockNumber number;
  Sequence first;
  std::uint32_t records = 0;
  std::uint32_t body_raw = 0;
  bool mini = false;
  bool checked = false;
  WallTime last_time;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;     // stored
  std::uint32_t head = 0;     // of it, header and extents
  std::uint32_t archive = 0;  // the file it lies in (archive.h)

  Sequence end() const { return first + records; }
};
BlockSummary summarize(const FoundBlock& found);

struct Choice {
  std::vector<BlockSummary> blocks;  // by number: no number twice, no record twice
  std::uint64_t duplicates = 0;      // stale copies, minis beside the block they were merged into
  std::uint64_t aborted = 0;         // blocks whose commit never came to be: their numbers or
                                     // sequences were given again
};
// Leaves out what stands inside another block's columns.
// Of blocks that hold the same records, the merged one goes before the minis it was made of, then
// the longer, then the newer one. Of blocks with one number, the newer one.
Choice choose_blocks(std::vector<BlockSummary> found);

// Reads a block that a scan found, or its header and extents alone. kCorrupt where it is not there
// any more.
Result<std::string> read_found(int fd, const BlockSummary& block);
Result<std::string> read_head(int fd, const BlockSummary& block);
// What stands in front of a block of `size` bytes at `offset`: its header and extents, or all of it
// where that is a reference, and no more than a page or those take.
Result<std::string> read_front(int fd, std::uint64_t offset, std::uint64_t size);

}  // namespace edgehose
