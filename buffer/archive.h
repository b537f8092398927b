// Archive: a damaged environment file that still holds blocks to be delivered. A salvage leaves
// them where they lie and puts references in the place of the blocks: what a card of 4 GB holds is
// neither read nor written again before the agent goes on.
//
//   reference = header extents "EHR1" archive u32 offset u64 crc u32
//
// Header and extents stand as in the block (block_header.h), so that everything but reading it is
// told without the archive; crc: CRC-32C of all before it. An archive is data_dir's
// buffer.mdb.salvaged-N; when its last reference goes it becomes a quarantine like any other.
//
// Threading: the functions are pure, of values and of the file system; Archives is used by any
// thread once it is opened, but for add(), punch() and close().
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/open_progress.h"

namespace edgehose {

constexpr std::string_view kReferenceMagic = "EHR1";
constexpr std::size_t kReferenceBytes = 20;  // beyond the header and its extents
// Each keeps a descriptor; blocks of a ninth one are left in its quarantine.
constexpr std::size_t kMaxArchives = 8;

struct Reference {
  std::uint32_t archive = 0;
  std::uint64_t offset = 0;  // of the block in it
  bool operator==(const Reference&) const = default;
};

// `head`: the block's header and extents, verbatim.
std::string encode_reference(std::string_view head, const Reference& reference);
// None: the value is a block, or damaged.
std::optional<Reference> parse_reference(std::string_view value);
// Whether a reference, or the front of one, stands at the front of `bytes`, behind this header.
bool looks_like_reference(std::string_view bytes, const BlockHeader& header);

// The pages that only this block takes in its archive, bytes [first, first + length).
struct PageSpan {
  std::uint64_t first = 0, length = 0;
};
PageSpan pages_of(std::uint64_t offset, std::uint64_t stored);
// What of [0, end) none of them takes, in order.
std::vector<PageSpan> gaps_between(std::vector<PageSpan> spans, std::uint64_t end);

// `buffer.mdb.salvaged-N` in data_dir.
std::string archive_path(const std::string& directory, std::uint32_t id);
struct ArchiveFile {
  std::uint32_t id = 0;
  std::string path;
};
std::vector<ArchiveFile> archive_files(const std::string& directory);  // by id

// The archives of a store, open.
class Archives {
 public:
  // Opens `buffer.mdb.salvaged-N`; one that is not there gives no blocks.
  void open(const std::string& directory, std::uint32_t id, bool read_only);
  bool holds(std::uint32_t id) const;
  std::vector<std::uint32_t> ids() const;
  void close(std::uint32_t id);

  // The block that a value stands for; `value` must be the reference's own. kCorrupt: it does not
  // lie there any more.
  Result<std::string> read(std::string_view value, const Reference& reference) const;
  // Gives pages back to the disk. False where the file system cannot, or the archive is not open.
  bool punch(std::uint32_t id, const PageSpan& span);
  std::uint64_t allocated(std::uint32_t id) const;  // bytes on the disk
  std::uint64_t size(std::uint32_t id) const;       // apparent
  bool deleted(std::uint32_t id) const;             // no name leads to it any more
  // Writes one that was deleted back to its place, holes left out. Advances `progress`.
  Status put_back(const std::string& directory, std::uint32_t id, OpenProgress& progress);

 private:
  int fd(std::uint32_t id) const;
  mutable std::mutex mutex_;  // guards the map; a descriptor outlives every reader of its blocks
  std::map<std::uint32_t, FileDescriptor> files_;
  std::vector<FileDescriptor> replaced_;  // a reader may still be in one
};

}  // namespace edgehose
