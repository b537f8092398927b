// Searching a damaged file for blocks.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
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
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kLargestHeader = kBlockHeaderBytes + kBlockMaxExtents * kExtentBytes;

enum class Check { kGood, kBad, kUnknown };

Check check(std::string_view stored, const Keyring* keys) {
  const auto opened = open_block(stored, keys);
  if (opened) return Check::kGood;
  return opened.error().code == ErrorCode::kAuth ? Check::kUnknown : Check::kBad;
}

// One scan, in as many places at once as the file is worth: a disk reads faster when it is asked
// for several things.
class Scan {
 public:
  Scan(const std::string& path, std::uint64_t size, const Keyring* keys, const Clock& clock,
       Instant deadline, const std::function<bool(const FoundBlock&)>& visit,
       OpenProgress* progress, const VisitEntry& visit_entry)
      : path_(path),
        size_(size),
        keys_(keys),
        clock_(clock),
        deadline_(deadline),
        visit_(visit),
        visit_entry_(visit_entry),
        progress_(progress) {}

  Result<ScanResult> run() {
    const std::uint64_t places = size_ < kWorthThreads ? 1 : kScanners;
    const std::uint64_t part = (size_ / kPage + places) / places * kPage;
    std::vector<std::thread> others;
    for (std::uint64_t i = 1; i < places; ++i)
      others.emplace_back(
          [=, this] { search(std::min(size_, i * part), std::min(size_, (i + 1) * part)); });
    search(0, std::min(size_, part));
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

  // Blocks that begin in [at, end).
  void search(std::uint64_t at, std::uint64_t end) {
    auto fd = open_file(path_, O_RDONLY);
    if (!fd) {
      const std::lock_guard lock(mutex_);
      error_ = fd.error();
      return;
    }
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    Part part{FileWindow(fd->get(), size_, kWindow), end, at, {}};
    while (at < end && at + kBlockHeaderBytes <= size_ && !ended_) {
      if (clock_.now() >= deadline_) {
        ended_ = true;
        break;
      }
      const std::uint64_t next = std::min(step(part, at), end);
      looked_ += next - at;
      at = next;
      if (progress_ != nullptr) progress_->advance(looked_);
    }
    const std::lock_guard lock(mutex_);
    result_.found += part.found.found;
    result_.damaged += part.found.damaged;
    result_.unchecked += part.found.unchecked;
    result_.unreadable += part.file.unreadable();
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
    if (!visit_entry_) return;
    for (; part.leaf < end; part.leaf += kPage) {
      const auto page = lmdb::TreePage::parse(part.file.view(part.leaf, kPage),
                                              static_cast<std::size_t>(part.leaf / kPage));
      if (!page || page->is_branch()) continue;
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < page->nodes(); ++i)
        if (const auto entry = page->entry(i); entry && entry->first_page == 0)
          visit_entry_(entry->key, entry->value);
    }
  }

  const std::string& path_;
  const std::uint64_t size_;
  const Keyring* const keys_;
  const Clock& clock_;
  const Instant deadline_;
  const std::function<bool(const FoundBlock&)>& visit_;
  const VisitEntry& visit_entry_;
  OpenProgress* const progress_;
  std::atomic<bool> ended_{false};  // by the deadline or the visitor
  std::atomic<std::uint64_t> looked_{0};
  std::mutex mutex_;  // guards what follows, and the visitors
  ScanResult result_;
  std::optional<Error> error_;
};

}  // namespace

Result<ScanResult> scan_blocks(const std::string& path, const Keyring* keys, const Clock& clock,
                               Instant deadline,
                               const std::function<bool(const FoundBlock&)>& visit,
                               OpenProgress* progress, const VisitEntry& visit_entry) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (progress != nullptr) progress->begin("searching the damaged buffer for records", size);
  return Scan(path, size, keys, clock, deadline, visit, progress, visit_entry).run();
}

}  // namespace edgehose
