// What the Store does with its archives (archive.h): opens them, gives back what was delivered out
// of them, and makes a quarantine of one that holds nothing more.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/block_header.h"
#include "buffer/device.h"
#include "buffer/quarantine.h"
#include "buffer/set_aside.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kSmallGaps = 256;  // together such a part of the limit may stay

}  // namespace

std::uint64_t SalvageState::blocks() const {
  std::uint64_t sum = 0;
  for (const ArchiveState& archive : archives) sum += archive.blocks;
  return sum;
}

std::uint64_t SalvageState::bytes() const {
  std::uint64_t sum = 0;
  for (const ArchiveState& archive : archives) sum += archive.bytes;
  return sum;
}

// Opens those that the state names; a reader also lets go of those it does not name any more.
void StoreImpl::open_archives(const SalvageState& salvage) {
  for (const ArchiveState& archive : salvage.archives)
    if (!archives_.holds(archive.id)) archives_.open(options_.directory, archive.id, read_only_);
  if (!read_only_) return;
  for (const std::uint32_t id : archives_.ids())
    if (std::ranges::find(salvage.archives, id, &ArchiveState::id) == salvage.archives.end())
      archives_.close(id);
}

// At start: files that a crash left without their renaming, and the limit.
Status StoreImpl::settle_archives(const lmdb::Transaction& txn, std::uint64_t used) {
  for (const ArchiveFile& file : archive_files(options_.directory))
    if (!archives_.holds(file.id)) retire_archive(file.id);
  limit_quarantines(options_);
  count_quarantines();
  if (archives_.ids().empty() || used + quarantine_bytes_ <= options_.max_size) return {};
  EH_TRY(punch_unreferenced(txn));
  count_quarantines();
  return {};
}

// What is left to look into in a damaged file gives way to records that come. The smallest gaps,
// pages of the tree mostly, are many and give little: they stay, and the start is sooner.
Status StoreImpl::punch_unreferenced(const lmdb::Transaction& txn) {
  std::map<std::uint32_t, std::vector<PageSpan>> kept;
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  auto entry = cursor.at_or_after(keyspace::kBlockPrefix);
  for (; entry && *entry && (*entry)->key.starts_with(keyspace::kBlockPrefix);
       entry = cursor.next()) {
    const auto reference = parse_reference((*entry)->value);
    const auto header = reference ? decode_header((*entry)->value)
                                  : tl::unexpected(Error{ErrorCode::kNotFound, 0, ""});
    if (!header) continue;
    const std::uint64_t first = reference->offset / lmdb::kPageBytes * lmdb::kPageBytes;
    const std::uint64_t end = reference->offset + stored_size(*header) + lmdb::kPageBytes - 1;
    kept[reference->archive].push_back({first, end / lmdb::kPageBytes * lmdb::kPageBytes - first});
  }
  if (!entry) return tl::unexpected(std::move(entry).error());
  std::uint64_t left = options_.max_size / kSmallGaps;
  for (auto& [id, spans] : kept) {
    std::vector<PageSpan> gaps = gaps_between(std::move(spans), archives_.size(id));
    std::ranges::sort(gaps, {}, &PageSpan::length);
    for (const PageSpan& gap : gaps) {
      if (gap.length <= left)
        left -= gap.length;
      else
        punches_ = archives_.punch(id, gap) && punches_;
    }
  }
  return {};
}

// What a commit let go: given back to the disk when nobody looks at an earlier commit any more.
void StoreImpl::release(std::uint64_t transaction, const std::vector<ArchivedBlock>& blocks) {
  for (const ArchivedBlock& block : blocks) released_.push_back({transaction, block});
  give_archives_back();
}

void StoreImpl::give_archives_back() {
  if (archives_.ids().empty()) return;
  const std::uint64_t oldest = environment_.oldest_reader();
  bool changed = false;
  for (; !released_.empty() && released_.front().transaction <= oldest; released_.pop_front()) {
    const ArchivedBlock& block = released_.front().block;
    if (block.pages.length > 0) punches_ = punches_ && archives_.punch(block.archive, block.pages);
    changed = true;
  }
  for (const std::uint32_t id : archives_.ids()) {
    if (!drained(id)) continue;
    archives_.close(id);
    retire_archive(id);
    limit_quarantines(options_);
    changed = true;
  }
  if (changed) count_quarantines();
}

bool StoreImpl::drained(std::uint32_t archive) const {
  const auto of_it = [&](const Released& released) { return released.block.archive == archive; };
  if (std::ranges::any_of(released_, of_it)) return false;
  const std::lock_guard lock(mutex_);
  const auto& all = state_.salvage.archives;
  return std::ranges::find(all, archive, &ArchiveState::id) == all.end();
}

void StoreImpl::retire_archive(std::uint32_t id) {
  const std::string from = archive_path(options_.directory, id);
  const std::string to = free_quarantine_path(options_.directory, clock_);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    log::warn("buffer: {} holds nothing to be delivered, but was not renamed: {}", from,
              std::strerror(errno));
    return;
  }
  log::info(
      "buffer: all that was salvaged in {} is delivered or was dropped; what is left of it is kept "
      "as {}: delete it when it is of no use",
      from, to);
}

void StoreImpl::count_quarantines() {
  std::uint64_t bytes = 0;
  const std::vector<Quarantine> found = quarantines(options_.directory);
  for (const Quarantine& quarantine : found) bytes += quarantine.allocated;
  const std::lock_guard lock(mutex_);
  usage_.quarantine_bytes = bytes;
  // Where the file system makes no holes, what is still held counts, as in the environment itself.
  for (const ArchiveState& archive : state_.salvage.archives)
    bytes += punches_ ? archives_.allocated(archive.id) : archive.bytes;
  quarantine_bytes_ = bytes;
  usage_.quarantines = static_cast<unsigned>(found.size());
}

// Beside the limit: what cannot be delivered here must not keep new records out. The disk's floor
// holds all the same.
void StoreImpl::count_set_aside() {
  const std::vector<SetAside> found = set_aside_buffers(options_.directory);
  const std::lock_guard lock(mutex_);
  usage_.set_aside = static_cast<unsigned>(found.size());
  usage_.set_aside_bytes = 0;
  for (const SetAside& buffer : found) usage_.set_aside_bytes += buffer.allocated;
}

}  // namespace edgehose
