// Searching a damaged file for blocks.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/base/file.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/file_window.h"
#include "buffer/lmdb_pages.h"
#include "buffer/salvage.h"

namespace edgehose {
namespace {

constexpr std::size_t kWindow = 2 << 20;
constexpr std::uint64_t kWorthThreads = 64ull << 20;
// What one thread takes of the file: pieces begin inside of blocks, so they are few.
constexpr std::uint64_t kPiece = 32ull << 20;
constexpr std::uint64_t kPieces = 16;
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kLargestHeader = kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes;

enum class Check { kGood, kBad, kUnknown };

Check check(std::string_view stored, const Keyring* keys) {
  const auto opened = open_block(stored, keys);
  if (opened) return Check::kGood;
  return opened.error().code == ErrorCode::kAuth ? Check::kUnknown : Check::kBad;
}

// What of [first, end) the file holds, in whole pages: not its holes.
void add_data(int fd, std::uint64_t first, std::uint64_t end, std::vector<PageSpan>& spans) {
  while (first < end) {
    const off_t data = ::lseek(fd, static_cast<off_t>(first), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;  // nothing more
    const off_t hole = data < 0 ? -1 : ::lseek(fd, data, SEEK_HOLE);
    // A file system that cannot tell: all of it may be data.
    const std::uint64_t begin = data < 0 ? first : static_cast<std::uint64_t>(data) / kPage * kPage;
    const std::uint64_t until =
        hole < 0 ? end : (static_cast<std::uint64_t>(hole) + kPage - 1) / kPage * kPage;
    first = std::max(first, begin);
    if (first >= end) return;
    spans.push_back({first, std::min(until, end) - first});
    first = until;
  }
}

// One scan, by as many threads as the file is worth: a disk reads faster when it is asked for
// several things. They take what is to be searched piece by piece.
class Scan {
 public:
  Scan(const std::string& path, std::uint64_t size, const Keyring* keys, const Clock& clock,
       Instant deadline, const std::function<bool(const FoundBlock&)>& visit,
       const ScanOptions& options)
      : path_(path),
        size_(size),
        keys_(keys),
        clock_(clock),
        deadline_(deadline),
        visit_(visit),
        options_(options) {}

  Result<ScanResult> run(int fd) {
    const std::uint64_t bytes = cut_pieces(fd);
    if (options_.progress != nullptr)
      options_.progress->begin("searching the damaged buffer for records", bytes);
    std::vector<std::thread> others;
    for (unsigned i = 1; bytes >= kWorthThreads && i < kScanners; ++i)
      others.emplace_back([this] { search(); });
    search();
    for (std::thread& other : others) other.join();
    if (error_) return tl::unexpected(*error_);
    result_.complete = !ended_;
    result_.bytes = looked_;
    return result_;
  }

 private:
  // What one thread looks at.
  struct Part {
    FileWindow file;
    std::uint64_t end = 0;
    std::uint64_t leaf = 0;  // from this page on, leaf pages were not looked at
    ScanResult found;
  };

  // How many bytes they are together.
  std::uint64_t cut_pieces(int fd) {
    std::vector<PageSpan> spans;
    for (const PageSpan& span : options_.where.value_or(std::vector<PageSpan>{{0, size_}}))
      add_data(fd, span.first, std::min(size_, span.first + span.length), spans);
    std::uint64_t bytes = 0;
    for (const PageSpan& span : spans) bytes += span.length;
    const std::uint64_t piece = std::max(kPiece, bytes / kPieces / kPage * kPage);
    for (const auto& [first, length] : spans)
      for (std::uint64_t at = 0; at < length; at += piece)
        pieces_.push_back({first + at, std::min(piece, length - at)});
    return bytes;
  }

  void search() {
    auto fd = open_file(path_, O_RDONLY);
    if (!fd) {
      const std::lock_guard lock(mutex_);
      error_ = fd.error();
      return;
    }
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    Part part{FileWindow(fd->get(), size_, kWindow), 0, 0, {}};
    for (std::size_t i = next_++; i < pieces_.size() && !ended_; i = next_++)
      search(part, pieces_[i].first, pieces_[i].first + pieces_[i].length);
    const std::lock_guard lock(mutex_);
    result_.found += part.found.found;
    result_.damaged += part.found.damaged;
    result_.unchecked += part.found.unchecked;
    result_.unreadable += part.file.unreadable();
  }

  // Blocks that begin in [at, end).
  void search(Part& part, std::uint64_t at, std::uint64_t end) {
    part.end = end;
    part.leaf = at;
    while (at < end && at + kBlockHeaderBytes <= size_ && !ended_) {
      if (clock_.now() >= deadline_) {
        ended_ = true;
        break;
      }
      const std::uint64_t next = std::min(step(part, at), end);
      looked_ += next - at;
      at = next;
      if (options_.progress != nullptr) options_.progress->advance(looked_);
    }
  }

  // Looks at what is there and returns where to look next.
  std::uint64_t step(Part& part, std::uint64_t at) {
    const std::string_view window = part.file.ahead(at, kBlockMagic.size());
    const std::size_t hit = window.find(kBlockMagic);
    const std::uint64_t next =
        hit != std::string_view::npos
            ? at + hit
            : at + window.size() - std::min(window.size() - 1, kBlockMagic.size() - 1);
    look_at_leaves(part, std::min(next, part.end));
    if (hit == std::string_view::npos) return next;
    return next < part.end ? look_at_block(part, next) : part.end;  // another search's
  }

  std::uint64_t look_at_block(Part& part, std::uint64_t at) {
    const std::string_view front = part.file.view(at, kLargestHeader + kReferenceBytes);
    const auto header = decode_header(front);
    if (!header || stored_size(*header) > kMaxStoredBlock) return at + kBlockMagic.size();
    // What it stands for lies in another file.
    if (looks_like_reference(front, *header)) return at + header_size(*header) + kReferenceBytes;
    const std::string_view stored = part.file.view(at, stored_size(*header));
    const Check verdict = check(stored, keys_);
    if (verdict == Check::kBad || stored.size() < stored_size(*header)) {
      ++part.found.damaged;
      return at + kBlockMagic.size();
    }
    ++part.found.found;
    if (verdict == Check::kUnknown) ++part.found.unchecked;
    const std::lock_guard lock(mutex_);
    if (!visit_({*header, stored, at, verdict == Check::kGood})) ended_ = true;
    // The columns of one that could not be checked may have been overwritten: look inside.
    if (verdict != Check::kGood) return at + header_size(*header);
    const std::uint64_t after = at + stored_size(*header);
    part.leaf = std::max(part.leaf, (after + kPage - 1) / kPage * kPage);
    return after;
  }

  // Those that begin before `end`. What stands inside a block's columns is none.
  void look_at_leaves(Part& part, std::uint64_t end) {
    if (!options_.visit_entry) return;
    for (; part.leaf < end; part.leaf += kPage) {
      const auto page = lmdb::TreePage::parse(part.file.view(part.leaf, kPage),
                                              static_cast<std::size_t>(part.leaf / kPage));
      if (!page || page->is_branch()) continue;
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < page->nodes(); ++i)
        if (const auto entry = page->entry(i); entry && entry->first_page == 0)
          options_.visit_entry(entry->key, entry->value);
    }
  }

  const std::string& path_;
  const std::uint64_t size_;
  const Keyring* const keys_;
  const Clock& clock_;
  const Instant deadline_;
  const std::function<bool(const FoundBlock&)>& visit_;
  const ScanOptions& options_;
  std::vector<PageSpan> pieces_;
  std::atomic<std::size_t> next_{0};  // of the pieces, to be searched
  std::atomic<bool> ended_{false};    // by the deadline or the visitor
  std::atomic<std::uint64_t> looked_{0};
  std::mutex mutex_;  // guards what follows, and the visitors
  ScanResult result_;
  std::optional<Error> error_;
};

}  // namespace

Result<ScanResult> scan_blocks(const std::string& path, const Keyring* keys, const Clock& clock,
                               Instant deadline,
                               const std::function<bool(const FoundBlock&)>& visit,
                               const ScanOptions& options) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  return Scan(path, size, keys, clock, deadline, visit, options).run(fd.get());
}

}  // namespace edgehose
