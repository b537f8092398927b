// Idle work: giving disk back, refreshing the copies outside, counting quarantines.
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "agent/base/log.h"
#include "buffer/copies.h"
#include "buffer/device.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kKeepFree = 64ull << 20;
constexpr Duration kCopyEvery = std::chrono::minutes(10);
// A copy for new names and files: what is written stays below 64 KiB a minute.
constexpr Duration kCopyPause = std::chrono::minutes(1);
constexpr std::uint64_t kCopyBytesPerPause = 64 << 10;
constexpr unsigned kHolesAtMost = 1024;  // a call's work
constexpr std::size_t kHolePages = 16;   // shorter runs fragment the file for little

struct Extent4K {
  std::uint64_t first = 0, pages = 0;
};

// Pages that no reader can still look at: of free-list entries older than every reader and than the
// meta page before the last.
Result<std::vector<std::uint64_t>> reusable_pages(const lmdb::Transaction& txn,
                                                  std::uint64_t before) {
  std::vector<std::uint64_t> pages;
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open_free_list(txn));
  for (auto entry = cursor.first();; entry = cursor.next()) {
    if (!entry) return tl::unexpected(std::move(entry).error());
    if (!*entry) break;
    std::size_t id = 0;
    if ((*entry)->key.size() != sizeof id) break;
    std::memcpy(&id, (*entry)->key.data(), sizeof id);
    if (id >= before) break;
    std::vector<std::size_t> list((*entry)->value.size() / sizeof(std::size_t));
    if (list.empty()) break;
    std::memcpy(list.data(), (*entry)->value.data(), list.size() * sizeof(std::size_t));
    if (list[0] >= list.size()) break;  // count, then that many pages
    pages.insert(pages.end(), list.begin() + 1,
                 list.begin() + 1 + static_cast<std::ptrdiff_t>(list[0]));
  }
  std::ranges::sort(pages);
  return pages;
}

// The runs of neighbouring pages, highest first, without the `kept` lowest pages.
std::vector<Extent4K> holes_of(const std::vector<std::uint64_t>& pages, std::uint64_t kept) {
  std::vector<Extent4K> holes;
  for (std::size_t i = static_cast<std::size_t>(std::min<std::uint64_t>(kept, pages.size()));
       i < pages.size(); ++i) {
    if (!holes.empty() && holes.back().first + holes.back().pages == pages[i]) {
      ++holes.back().pages;
    } else {
      holes.push_back({pages[i], 1});
    }
  }
  std::erase_if(holes, [](const Extent4K& hole) { return hole.pages < kHolePages; });
  std::ranges::reverse(holes);
  if (holes.size() > kHolesAtMost) holes.resize(kHolesAtMost);
  return holes;
}

}  // namespace

void StoreImpl::maintain() {
  if (read_only_ || closed_ || writing_) return;
  give_disk_back();
  give_archives_back();
  write_copies_if_due();
  count_quarantines();
  count_set_aside();
}

void StoreImpl::write_copies_if_due() {
  const Instant now = clock_.now();
  const std::uint64_t commits = usage().commits;
  const bool old = now - copied_at_ >= kCopyEvery && commits != copied_commits_;
  const bool first = copied_commits_ == UINT64_MAX;
  const bool named = names_changed_ && now >= copy_names_from_;
  if (!old && !first && !named) return;
  write_copies_now();
  if (!named) return;
  const std::uint64_t pauses = copy_bytes(options_.directory) / kCopyBytesPerPause;
  copy_names_from_ = now + std::clamp<Duration>(kCopyPause * pauses, kCopyPause, kCopyEvery);
}

void StoreImpl::write_copies_now() {
  const auto txn = environment_.begin_read();
  if (!txn) return;
  if (const auto written = write_copies(options_.directory, *txn); !written)
    log::warn("the copy of the buffer's small state was not refreshed: {}",
              written.error().message);
  names_changed_ = false;
  copied_commits_ = usage().commits;
  copied_at_ = clock_.now();
}

void StoreImpl::give_disk_back() {
  struct stat st {};
  if (::fstat(environment_.fd(), &st) != 0) return;
  const std::uint64_t allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
  std::uint64_t used = 0;
  {
    const std::lock_guard lock(mutex_);
    used = usage_.used - std::min(usage_.used, quarantine_bytes_);
  }
  // A small buffer keeps no more than its limit's map has beyond it.
  const std::uint64_t spare = std::min(kKeepFree, lmdb::map_size_for(limit_) - limit_);
  if (allocated < used + reserve() + std::max(spare, used / 2)) return;
  // The write lock keeps LMDB from handing a page out while its hole is punched.
  const auto held = environment_.begin_write();
  if (!held) return;
  const std::uint64_t last = environment_.last_transaction();
  const std::uint64_t before = std::min(environment_.oldest_reader(), last > 0 ? last - 1 : 0);
  const auto txn = environment_.begin_read();
  if (!txn) return;
  const auto space = txn->space();
  const auto pages = reusable_pages(*txn, before);
  if (!space || !pages) return;
  const std::uint64_t kept = std::max(reserve(), spare / 2) / space->page_size;
  std::uint64_t given = 0;
  for (const Extent4K& hole : holes_of(*pages, kept)) {
    const auto punched =
        punch(environment_.fd(), hole.first * space->page_size, hole.pages * space->page_size);
    if (!punched || !*punched) break;
    given += hole.pages * space->page_size;
  }
  log::debug("{} bytes of the buffer's disk were given back", given);
}

}  // namespace edgehose
