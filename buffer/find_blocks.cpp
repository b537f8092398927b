#include "buffer/find_blocks.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"

namespace edgehose {
namespace {

// Of a file. A sector that fails may take a card seconds, and there may be many.
constexpr Duration kSearchDeadline = std::chrono::minutes(5);
constexpr Duration kCheckBudget = std::chrono::seconds(2);
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLargestFront =
    kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes + kReferenceBytes;
constexpr std::ptrdiff_t kAskedAhead =
    32;  // pages that the disk is asked for before they are needed

class Finder {
 public:
  explicit Finder(const FindInput& input) : in_(input), damaged_(input.files.back()) {}

  Result<FoundBlocks> run() {
    const bool listed =
        in_.check.complete && std::ranges::all_of(in_.check.blocks, [](const auto& block) {
          return block.second.offset.has_value();
        });
    EH_TRY(listed ? list() : search());
    return std::move(found_);
  }

 private:
  Status search() {
    std::vector<BlockSummary> blocks;
    const auto next_file = in_.rebuild.next_file();
    FoundFiles found_files(in_.keys, next_file.value_or(FileId()));
    const auto take_file = [&](std::string_view key, std::string_view value) {
      found_files.add(key, value);
    };
    for (const ArchiveFile& file : in_.files) {
      const auto take = [&](const FoundBlock& block) {
        BlockSummary summary = summarize(block);
        summary.archive = file.id;
        if (!block.checked)
          ++found_.unreadable;
        else if (!is_live(summary) || in_.rebuild.delivered(summary))
          ++found_.stale;
        else
          blocks.push_back(std::move(summary));
        return blocks.size() < kMaxFoundBlocks;
      };
      EH_ASSIGN(
          const ScanResult scan,
          scan_blocks(file.path, &in_.keys, in_.clock, in_.clock.now() + kSearchDeadline, take,
                      {in_.options.progress.get(), next_file ? VisitEntry(take_file) : VisitEntry(),
                       std::nullopt}));
      found_.damaged += scan.damaged;
      found_.complete = found_.complete && scan.complete;
    }
    EH_TRY(in_.rebuild.add_files(found_files));
    Choice choice = choose_blocks(std::move(blocks));
    found_.stale += choice.duplicates + choice.aborted;
    found_.blocks = std::move(choice.blocks);
    return {};
  }

  // What an earlier salvage left in another file is there under a reference, which has another
  // size.
  bool is_live(const BlockSummary& block) const {
    if (!in_.check.complete) return true;
    const auto live = in_.check.blocks.find(block.number);
    if (live == in_.check.blocks.end() || live->second.source != block.source) return false;
    return live->second.size == block.size || block.archive != damaged_.id;
  }

  Status list() {
    EH_ASSIGN(const FileDescriptor file, open_file(damaged_.path, O_RDONLY));
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM);
    in_.options.progress->begin("listing what the damaged buffer holds");
    const auto& blocks = in_.check.blocks;
    auto ahead = blocks.begin();
    std::ptrdiff_t asked = 0;
    for (const auto& [number, live] : blocks) {
      for (; ahead != blocks.end() && asked < kAskedAhead; ++ahead, ++asked)
        ::posix_fadvise(file.get(), static_cast<off_t>(*ahead->second.offset / kPage * kPage),
                        kPage, POSIX_FADV_WILLNEED);
      --asked;
      take(listed_block(file.get(), number, live));
      in_.options.progress->advance(0);
    }
    check_newest(file.get());
    return {};
  }

  void take(std::optional<BlockSummary> block) {
    if (!block)
      ++found_.damaged;
    else if (!block->checked)
      ++found_.unreadable;
    else if (in_.rebuild.delivered(*block))
      ++found_.stale;
    else
      found_.blocks.push_back(*std::move(block));
  }

  // None: what stands there is neither that block nor a reference to it.
  std::optional<BlockSummary> listed_block(int file, BlockNumber number,
                                           const LiveBlock& live) const {
    const auto value = read_front(file, *live.offset, std::min(live.size, kLargestFront));
    const auto header = value ? decode_header(*value) : tl::unexpected(value.error());
    if (!header || header->number != number || header->source != live.source) return std::nullopt;
    const bool key = (header->flags & kBlockSealed) == 0 || in_.keys.has(header->key);
    BlockSummary block = summarize({*header, {}, *live.offset, key});
    block.archive = damaged_.id;
    if (block.size == live.size) return block;
    const auto reference = parse_reference(*value);
    if (!reference) return std::nullopt;
    const auto archive = std::ranges::find(in_.files, reference->archive, &ArchiveFile::id);
    if (archive == in_.files.end()) return std::nullopt;
    block.archive = reference->archive;
    block.offset = reference->offset;
    return block;
  }

  // The newest blocks of the damaged file, as many as there is time for: what is lost of them may
  // still stand in the files they came from. The others are checked when they are read.
  void check_newest(int file) {
    const Instant deadline = in_.clock.now() + kCheckBudget;
    const auto is_bad = [&](const BlockSummary& block) {
      if (in_.clock.now() >= deadline || block.archive != damaged_.id) return false;
      in_.options.progress->advance(0);
      const auto stored = read_found(file, block);
      const auto opened = stored ? open_block(*stored, &in_.keys) : tl::unexpected(stored.error());
      return !opened && opened.error().code == ErrorCode::kCorrupt;
    };
    auto& blocks = found_.blocks;
    const auto bad = std::remove_if(blocks.rbegin(), blocks.rend(), is_bad);
    found_.damaged += static_cast<std::uint64_t>(blocks.rend() - bad);
    blocks.erase(blocks.begin(), bad.base());
  }

  const FindInput& in_;
  const ArchiveFile& damaged_;
  FoundBlocks found_;
};

}  // namespace

Result<FoundBlocks> find_blocks(const FindInput& input) { return Finder(input).run(); }

}  // namespace edgehose
