// How much a Transaction may take in: what the limit and the disk below the buffer leave, and the
// reserve of disk blocks that the buffer keeps for what must always find room.
#include <algorithm>
#include <cerrno>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/device.h"
#include "buffer/disk_room.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {

// Where blocks were refused that seem to be free, as under a quota: each try may flush a journal.
constexpr Duration kAskAgain = std::chrono::minutes(1);

}  // namespace

// Negative: so many bytes fit.
std::int64_t TransactionImpl::beyond_limit() const {
  const std::lock_guard lock(store_.mutex_);
  return static_cast<std::int64_t>(space_.used() + store_.quarantine_bytes_) + grown_ -
         static_cast<std::int64_t>(store_.limit_);
}

Status TransactionImpl::room_for(std::uint64_t bytes) {
  const std::uint64_t limit = store_.limit_;
  if (beyond_limit() + static_cast<std::int64_t>(bytes) > 0)
    return fail(
        ErrorCode::kFull, "the buffer {} is full: it holds its {} bytes ({})", store_.path(), limit,
        limit < store_.options_.max_size ? "all that this machine can map" : "buffer.max_size");
  return disk_room_for(static_cast<std::int64_t>(bytes));
}

// What this transaction deletes gives nothing yet: LMDB gives its pages out two commits later.
Status TransactionImpl::disk_room_for(std::int64_t bytes) {
  if (!disk_) disk_ = store_.measure_disk(space_.used());
  if (!disk_ || written_ + bytes <= disk_->room(store_.reserve())) return {};
  return disk_full();
}

tl::unexpected<Error> TransactionImpl::disk_full() const {
  std::string left;
  if (disk_->floor > 0)
    left = fmt::format(", and {} ({} %, buffer.free_disk_percent) are left free",
                       format_size(disk_->floor), store_.options_.free_disk_percent);
  return tl::unexpected(
      Error{ErrorCode::kFull, ENOSPC,
            fmt::format("the file system of {} has {} free{}", store_.options_.directory,
                        format_size(disk_->free), left)});
}

// LMDB puts a block where it finds enough free pages in a row. Where it finds none the file grows,
// and pages whose disk was given back are taken from it anew: neither may go below the floor.
Status TransactionImpl::settle_disk() {
  if (!disk_ || written_ == 0) return {};
  std::int64_t growing = 0;
  if (disk_->above_floor < written_) {
    EH_ASSIGN(growing, growth());
  }
  if (growing > disk_->above_floor) return disk_full();
  const auto reserve = static_cast<std::int64_t>(store_.reserve());
  if (disk_->owned - written_ >= reserve) return {};
  const std::uint64_t end = (space_.last_page + 1) * space_.page_size;
  // An eighth more, so that not each of many small commits has to.
  const auto wanted = static_cast<std::uint64_t>(written_ + reserve + reserve / 8);
  const auto spare = static_cast<std::uint64_t>(disk_->above_floor - growing);
  const Status renewed = store_.renew_reserve(end, wanted, spare);
  if (renewed || renewed.error().code != ErrorCode::kFull) return {};
  // What seemed to be free is not for us: others were quicker, or there is a quota.
  disk_->above_floor = 0;
  EH_ASSIGN(growing, growth());
  return growing > 0 || written_ > disk_->room(reserve) ? renewed : Status{};
}

// What the blocks of this transaction take from the disk, where LMDB has put them.
Result<std::int64_t> TransactionImpl::growth() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, source] : added_) {
    EH_ASSIGN(const auto stored, txn_.get(keyspace::block_key(number, source)));
    const auto pages = stored ? lmdb::pages_of(*stored, space_.page_size) : std::nullopt;
    if (!pages) continue;
    bytes += unallocated_bytes(store_.environment_.fd(), pages->first * space_.page_size,
                               pages->count * space_.page_size);
  }
  return static_cast<std::int64_t>(bytes);
}

// --- the reserve ---------------------------------------------------------------------------------

std::uint64_t StoreImpl::reserve() const { return disk_reserve(options_.reserve, limit_); }

std::optional<DiskRoom> StoreImpl::measure_disk(std::uint64_t used) const {
  const auto allocated = allocated_bytes(environment_.fd());
  if (!allocated) return std::nullopt;
  return disk_room(options_.directory, *allocated, used, options_.free_disk_percent);
}

// Blocks beyond the file's `end`, in a row, up to `wanted` bytes: of the disk, `spare` at most.
Status StoreImpl::renew_reserve(std::uint64_t end, std::uint64_t wanted, std::uint64_t spare) {
  if (!sets_aside_) return {};
  const std::uint64_t map = environment_.map_size();
  if (end >= map) return {};
  const auto whole = [](std::uint64_t n) { return n / lmdb::kPageBytes * lmdb::kPageBytes; };
  wanted =
      affordable_length(environment_.fd(), end, whole(std::min(wanted, map - end)), whole(spare));
  if (unallocated_bytes(environment_.fd(), end, wanted) == 0) return {};
  if (refused_ && clock_.now() < refused_until_) return tl::unexpected(*refused_);
  refused_.reset();
  const Status given = set_aside(environment_.fd(), end, wanted);
  if (given) return {};
  if (given.error().code == ErrorCode::kUnsupported) sets_aside_ = false;
  const auto disk = disk_space(options_.directory);
  if (given.error().code == ErrorCode::kFull && disk && disk->free >= wanted) {
    refused_ = given.error();
    refused_until_ = clock_.now() + kAskAgain;
  }
  return given;
}

// At the start. A new buffer gets its reserve also from below the floor; what one that was there
// before takes from there is the half that acknowledgements live off.
void StoreImpl::set_reserve_aside() {
  const auto txn = begin_read();
  const auto space = txn ? txn->space() : tl::unexpected(txn.error());
  if (!space) return;
  const auto disk = measure_disk(space->used());
  const auto reserve = static_cast<std::int64_t>(this->reserve());
  if (!disk || disk->owned >= reserve) return;
  const std::uint64_t end = (space->last_page + 1) * space->page_size;
  const bool young = end < this->reserve();
  const std::int64_t spare =
      young ? reserve : std::max(disk->above_floor, reserve / 2 - disk->owned);
  if (spare <= 0) return;
  if (const Status given = renew_reserve(end, this->reserve(), static_cast<std::uint64_t>(spare));
      !given)
    log::warn("no reserve of {} could be set aside in {}: on a full disk acknowledgements may fail",
              format_size(this->reserve()), options_.directory);
}

}  // namespace edgehose
