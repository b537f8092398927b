#include "buffer/salvage.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>

#include "agent/base/bytes.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"

namespace edgehose {
namespace {

// Before all others that hold one of the same records.
bool preferred(const BlockSummary& a, const BlockSummary& b) {
  return std::tuple(a.checked, !a.mini, a.records, a.number, a.last_time, a.offset) >
         std::tuple(b.checked, !b.mini, b.records, b.number, b.last_time, b.offset);
}

// What stands inside the columns of a block that was checked is a record's content.
void leave_out_inner(std::vector<BlockSummary>& found) {
  std::ranges::sort(found, {},
                    [](const BlockSummary& b) { return std::tuple(b.archive, b.offset); });
  std::pair<std::uint32_t, std::uint64_t> outer{0, 0};  // the last checked block's file and end
  std::erase_if(found, [&](const BlockSummary& b) {
    if (b.size > 0 && b.archive == outer.first && b.offset < outer.second) return true;
    if (b.checked) outer = {b.archive, b.offset + b.size};
    return false;
  });
}

// Accepts ranges that touch none accepted before.
class Ranges {
 public:
  enum class Overlap { kNone, kCovered, kPartly };
  Overlap add(Sequence first, Sequence end) {
    auto next = ranges_.lower_bound(first);
    if (next != ranges_.begin()) {
      const auto before = std::prev(next);
      if (before->second >= end) return Overlap::kCovered;
      if (before->second > first) return Overlap::kPartly;
    }
    if (next != ranges_.end() && next->first < end)
      return next->first == first && next->second >= end ? Overlap::kCovered : Overlap::kPartly;
    ranges_.emplace(first, end);
    return Overlap::kNone;
  }

 private:
  std::map<Sequence, Sequence> ranges_;
};

}  // namespace

BlockSummary summarize(const FoundBlock& found) {
  const BlockHeader& h = found.header;
  return {.epoch = h.epoch,
          .source = h.source,
          .number = h.number,
          .first = h.first_sequence,
          .records = h.records,
          .body_raw = h.body_raw,
          .mini = h.mini(),
          .checked = found.checked,
          .last_time = h.last_time,
          .offset = found.offset,
          .size = stored_size(h),
          .head = static_cast<std::uint32_t>(header_size(h))};
}

Choice choose_blocks(std::vector<BlockSummary> found) {
  leave_out_inner(found);
  std::ranges::sort(found, preferred);
  Choice choice;
  std::map<std::pair<Epoch, SourceId>, Ranges> taken;
  std::map<BlockNumber, BlockSummary> by_number;
  for (const BlockSummary& block : found) {
    // Newest wins where one number was given twice: the older one's commit did not come to be.
    if (const auto other = by_number.find(block.number);
        other != by_number.end() &&
        (other->second.source != block.source || other->second.epoch != block.epoch)) {
      ++choice.aborted;
      if (block.last_time > other->second.last_time) other->second = block;
      continue;
    }
    switch (taken[{block.epoch, block.source}].add(block.first, block.end())) {
      case Ranges::Overlap::kCovered: ++choice.duplicates; continue;
      case Ranges::Overlap::kPartly: ++choice.aborted; continue;
      case Ranges::Overlap::kNone: break;
    }
    if (!by_number.emplace(block.number, block).second) ++choice.aborted;
  }
  for (auto& [number, block] : by_number) choice.blocks.push_back(block);
  return choice;
}

namespace {
Result<std::string> read_part(int fd, const BlockSummary& block, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(block.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return fail(ErrorCode::kCorrupt, "block {} at {} cannot be read again", block.number.value,
                  block.offset);
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}
}  // namespace

Result<std::string> read_found(int fd, const BlockSummary& block) {
  if (block.size > kMaxStoredBlock)
    return fail(ErrorCode::kCorrupt, "block {} is larger than any", block.number.value);
  return read_part(fd, block, block.size);
}

Result<std::string> read_head(int fd, const BlockSummary& block) {
  return read_part(fd, block, block.head);
}

Result<std::string> read_front(int fd, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kPage = 4096;
  BlockSummary block;
  block.offset = offset;
  EH_ASSIGN(std::string front, read_part(fd, block, std::min(size, kPage)));
  ByteReader header_size(std::string_view(front).substr(std::min<std::size_t>(front.size(), 8)));
  const std::uint64_t wanted = header_size.le<std::uint32_t>() + std::uint64_t{kReferenceBytes};
  if (wanted <= front.size() || front.size() == size) return front;
  return read_part(fd, block, std::min(size, wanted));
}

}  // namespace edgehose
