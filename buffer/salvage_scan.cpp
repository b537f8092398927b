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
#include "buffer/salvage.h"

namespace edgehose {
namespace {

constexpr std::size_t kWindow = 2 << 20;
constexpr std::uint64_t kWorthThreads = 64ull << 20;
constexpr std::size_t kPage = 4096;
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
       OpenProgress* progress)
      : path_(path),
        size_(size),
        keys_(keys),
        clock_(clock),
        deadline_(deadline),
        visit_(visit),
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
  // Blocks that begin in [at, end).
  void search(std::uint64_t at, std::uint64_t end) {
    auto fd = open_file(path_, O_RDONLY);
    if (!fd) {
      const std::lock_guard lock(mutex_);
      error_ = fd.error();
      return;
    }
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    FileWindow file(fd->get(), size_, kWindow);
    ScanResult found;
    while (at < end && at + kBlockHeaderBytes <= size_ && !ended_) {
      if (clock_.now() >= deadline_) {
        ended_ = true;
        break;
      }
      const std::uint64_t next = std::min(step(file, at, end, found), end);
      looked_ += next - at;
      at = next;
      if (progress_ != nullptr) progress_->advance(looked_);
    }
    const std::lock_guard lock(mutex_);
    result_.found += found.found;
    result_.damaged += found.damaged;
    result_.unchecked += found.unchecked;
    result_.unreadable += file.unreadable();
  }

  // Looks at what is there and returns where to look next.
  std::uint64_t step(FileWindow& file, std::uint64_t at, std::uint64_t end, ScanResult& found) {
    const std::string_view window = file.ahead(at, kBlockMagic.size());
    const std::size_t hit = window.find(kBlockMagic);
    if (hit == std::string_view::npos)
      return at + window.size() - std::min(window.size() - 1, kBlockMagic.size() - 1);
    at += hit;
    if (at >= end) return end;  // another search's
    const std::string_view front = file.view(at, kLargestHeader + kReferenceBytes);
    const auto header = decode_header(front);
    if (!header || stored_size(*header) > kMaxStoredBlock) return at + kBlockMagic.size();
    // What it stands for lies in another file.
    if (looks_like_reference(front, *header)) return at + header_size(*header) + kReferenceBytes;
    const std::string_view stored = file.view(at, stored_size(*header));
    const Check verdict = check(stored, keys_);
    if (verdict == Check::kBad || stored.size() < stored_size(*header)) {
      ++found.damaged;
      return at + kBlockMagic.size();
    }
    ++found.found;
    if (verdict == Check::kUnknown) ++found.unchecked;
    const std::lock_guard lock(mutex_);
    if (!visit_({*header, stored, at, verdict == Check::kGood})) ended_ = true;
    // The columns of one that could not be checked may have been overwritten: look inside.
    return at + (verdict == Check::kGood ? stored_size(*header) : header_size(*header));
  }

  const std::string& path_;
  const std::uint64_t size_;
  const Keyring* const keys_;
  const Clock& clock_;
  const Instant deadline_;
  const std::function<bool(const FoundBlock&)>& visit_;
  OpenProgress* const progress_;
  std::atomic<bool> ended_{false};  // by the deadline or the visitor
  std::atomic<std::uint64_t> looked_{0};
  std::mutex mutex_;  // guards what follows, and the visitor
  ScanResult result_;
  std::optional<Error> error_;
};

}  // namespace

Result<ScanResult> scan_blocks(const std::string& path, const Keyring* keys, const Clock& clock,
                               Instant deadline,
                               const std::function<bool(const FoundBlock&)>& visit,
                               OpenProgress* progress) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (progress != nullptr) progress->begin("searching the damaged buffer for records", size);
  return Scan(path, size, keys, clock, deadline, visit, progress).run();
}

}  // namespace edgehose
