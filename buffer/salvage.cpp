#include "buffer/salvage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <tuple>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"

namespace edgehose {
namespace {

constexpr std::size_t kWindow = 1 << 20;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kLargestHeader = kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes;

// A file, looked at through a window that moves; what the disk does not give reads as zeros.
class Window {
 public:
  Window(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

  std::uint64_t size() const { return size_; }
  std::uint64_t unreadable() const { return unreadable_; }

  // [offset, offset + length), less at the end of the file. Valid until the next call.
  std::string_view view(std::uint64_t offset, std::uint64_t length) {
    length = std::min(length, size_ - std::min(offset, size_));
    if (offset < start_ || offset + length > start_ + bytes_.size()) load(offset, length);
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - start_),
                                           static_cast<std::size_t>(length));
  }

 private:
  void load(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t wanted = std::min(std::max<std::uint64_t>(length, kWindow), size_ - offset);
    if (bytes_.capacity() > 2 * kWindow && wanted <= kWindow) std::string().swap(bytes_);
    bytes_.assign(static_cast<std::size_t>(wanted), '\0');
    start_ = offset;
    for (std::size_t at = 0; at < bytes_.size();) at += fill(at, bytes_.size() - at);
  }

  // Reads as much as it can at `at` of the window; skips a page that fails.
  std::size_t fill(std::size_t at, std::size_t length) {
    ssize_t n = ::pread(fd_, bytes_.data() + at, length, static_cast<off_t>(start_ + at));
    if (n > 0) return static_cast<std::size_t>(n);
    if (n < 0 && errno == EINTR) return 0;
    const std::size_t page = std::min<std::size_t>(length, kPage - (start_ + at) % kPage);
    n = ::pread(fd_, bytes_.data() + at, page, static_cast<off_t>(start_ + at));
    if (n > 0) return static_cast<std::size_t>(n);
    std::memset(bytes_.data() + at, 0, page);
    unreadable_ += page;
    return page;
  }

  int fd_;
  std::uint64_t size_;
  std::uint64_t start_ = 0;
  std::string bytes_;
  std::uint64_t unreadable_ = 0;
};

enum class Check { kGood, kBad, kUnknown };

Check check(std::string_view stored, const Keyring* keys) {
  const auto opened = open_block(stored, keys);
  if (opened) return Check::kGood;
  return opened.error().code == ErrorCode::kAuth ? Check::kUnknown : Check::kBad;
}

// Before all others that hold one of the same records.
bool preferred(const BlockSummary& a, const BlockSummary& b) {
  return std::tuple(a.checked, !a.mini, a.records, a.number, a.last_time, a.offset) >
         std::tuple(b.checked, !b.mini, b.records, b.number, b.last_time, b.offset);
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

Result<ScanResult> scan_blocks(const std::string& path, const Keyring* keys, const Clock& clock,
                               Instant deadline,
                               const std::function<bool(const FoundBlock&)>& visit,
                               OpenProgress* progress) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Window file(fd.get(), static_cast<std::uint64_t>(st.st_size));
  ScanResult result;
  std::uint64_t at = 0;
  if (progress != nullptr) progress->begin("searching the damaged buffer for records", file.size());
  while (at + kBlockHeaderBytes <= file.size()) {
    if (clock.now() >= deadline) {
      result.complete = false;
      break;
    }
    if (progress != nullptr) progress->advance(at);
    const std::string_view window = file.view(at, kWindow);
    const std::size_t hit = window.find(kBlockMagic);
    if (hit == std::string_view::npos) {
      at += window.size() - std::min(window.size(), kBlockMagic.size() - 1);
      continue;
    }
    at += hit;
    const auto header = decode_header(file.view(at, kLargestHeader));
    if (!header || stored_size(*header) > kMaxStoredBlock) {
      at += kBlockMagic.size();
      continue;
    }
    const std::string_view stored = file.view(at, stored_size(*header));
    const Check verdict = check(stored, keys);
    if (verdict == Check::kBad || stored.size() < stored_size(*header)) {
      ++result.damaged;
      at += kBlockMagic.size();
      continue;
    }
    ++result.found;
    if (verdict == Check::kUnknown) ++result.unchecked;
    const bool more = visit({*header, stored, at, verdict == Check::kGood});
    // The columns of one that could not be checked may have been overwritten: look inside.
    at += verdict == Check::kGood ? stored_size(*header) : header_size(*header);
    if (!more) {
      result.complete = false;
      break;
    }
  }
  result.bytes = result.complete ? file.size() : at;
  result.unreadable = file.unreadable();
  return result;
}

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
          .size = found.stored.size()};
}

Choice choose_blocks(std::vector<BlockSummary> found) {
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

Result<std::string> read_found(int fd, const BlockSummary& block) {
  if (block.size > kMaxStoredBlock)
    return fail(ErrorCode::kCorrupt, "block {} is larger than any", block.number.value);
  std::string stored(static_cast<std::size_t>(block.size), '\0');
  for (std::size_t done = 0; done < stored.size();) {
    const ssize_t n = ::pread(fd, stored.data() + done, stored.size() - done,
                              static_cast<off_t>(block.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return fail(ErrorCode::kCorrupt, "block {} at {} cannot be read again", block.number.value,
                  block.offset);
    done += static_cast<std::size_t>(n);
  }
  return stored;
}

}  // namespace edgehose
