#include "buffer/listed_blocks.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"

namespace edgehose {
namespace {

constexpr std::size_t kGroup = 64;         // blocks that follow each other, for one thread
constexpr std::size_t kWorthThreads = 64;  // blocks
constexpr std::uint64_t kLargestFront =
    kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes + kReferenceBytes;

class Lister {
 public:
  Lister(const ListedBlocks& input, int file) : in_(input), file_(file) {
    for (const auto& block : in_.blocks) blocks_.push_back(&block);
    read_.resize(blocks_.size());
  }

  std::vector<std::optional<BlockSummary>> run() {
    each(POSIX_FADV_RANDOM, [this](int file, std::size_t i) {
      read_[i] = front(file, blocks_[i]->first, blocks_[i]->second);
    });
    each(POSIX_FADV_SEQUENTIAL, [this](int file, std::size_t i) {
      if (read_[i] && is_bad(file, *read_[i])) read_[i].reset();
    });
    return std::move(read_);
  }

 private:
  // For every block, the newest first: by as many threads as that is worth, since a disk reads
  // faster when it is asked for several things. The kernel reads ahead for each descriptor by
  // itself.
  template <class Look>
  void each(int advice, Look look) {
    std::atomic<std::size_t> taken{0};  // from the end
    const auto work = [&] {
      const auto own = open_file(in_.files.back().path, O_RDONLY);
      const int file = own ? own->get() : file_;
      ::posix_fadvise(file, 0, 0, advice);
      for (std::size_t n = taken.fetch_add(kGroup); n < blocks_.size();
           n = taken.fetch_add(kGroup)) {
        const std::size_t end = blocks_.size() - n;
        for (std::size_t i = end - std::min(end, kGroup); i < end; ++i) look(file, i);
        in_.progress.advance(0);
      }
    };
    std::vector<std::thread> others;
    for (unsigned i = 1; blocks_.size() >= kWorthThreads && i < kScanners; ++i)
      others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
  }

  std::optional<BlockSummary> front(int file, BlockNumber number, const LiveBlock& live) const {
    const auto value = read_front(file, *live.offset, std::min(live.size, kLargestFront));
    const auto header = value ? decode_header(*value) : tl::unexpected(value.error());
    if (!header || header->number != number || header->source != live.source) return std::nullopt;
    const bool key = (header->flags & kBlockSealed) == 0 || in_.keys.has(header->key);
    BlockSummary block = summarize({*header, {}, *live.offset, key});
    block.archive = in_.files.back().id;
    return block.size == live.size ? block : referred(std::move(block), *value);
  }

  bool is_bad(int file, const BlockSummary& block) const {
    if (block.archive != in_.files.back().id || in_.clock.now() >= in_.check_until) return false;
    const auto stored = read_found(file, block);
    const auto opened = stored ? open_block(*stored, &in_.keys) : tl::unexpected(stored.error());
    return !opened && opened.error().code == ErrorCode::kCorrupt;
  }

  std::optional<BlockSummary> referred(BlockSummary block, std::string_view value) const {
    const auto reference = parse_reference(value);
    if (!reference) return std::nullopt;
    const auto archive = std::ranges::find(in_.files, reference->archive, &ArchiveFile::id);
    if (archive == in_.files.end()) return std::nullopt;
    block.archive = reference->archive;
    block.offset = reference->offset;
    return block;
  }

  const ListedBlocks& in_;
  const int file_;
  std::vector<const std::pair<const BlockNumber, LiveBlock>*> blocks_;
  std::vector<std::optional<BlockSummary>> read_;  // each by one thread
};

}  // namespace

Result<std::vector<std::optional<BlockSummary>>> read_listed(const ListedBlocks& input) {
  EH_ASSIGN(const FileDescriptor file, open_file(input.files.back().path, O_RDONLY));
  input.progress.begin("listing what the damaged buffer holds");
  return Lister(input, file.get()).run();
}

}  // namespace edgehose
