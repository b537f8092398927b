// Opening, creating, refreshing and closing the Store.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/copy_watch.h"
#include "buffer/device.h"
#include "buffer/environment_check.h"
#include "buffer/epoch.h"
#include "buffer/lock_file.h"
#include "buffer/recovery.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kCompactFrom = 64ull << 20;
constexpr std::uint64_t kSparse = 4;  // file size over live data

std::uint64_t file_size(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

bool exists(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0;
}

Status check_version(const lmdb::Transaction& txn, std::string_view path) {
  EH_ASSIGN(const auto value, txn.get(keyspace::format_key()));
  if (!value)
    return fail(ErrorCode::kCorrupt, "{} is an LMDB file, but not a buffer of ours", path);
  EH_ASSIGN(const keyspace::FormatVersion format, keyspace::decode_format(*value));
  return keyspace::check_format(format, path);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, const Clock& clock) {
  auto store = std::make_unique<StoreImpl>(options, clock);
  EH_TRY(store->open_writer());
  return store;
}

Result<std::unique_ptr<Store>> Store::open_read_only(const StoreOptions& options,
                                                     const Clock& clock) {
  auto store = std::make_unique<StoreImpl>(options, clock);
  EH_TRY(store->open_reader());
  return store;
}

Status StoreImpl::open_writer() {
  EH_TRY(make_directories(options_.directory, 0750));
  EH_TRY(refuse_unfit(options_.directory));
  EH_ASSIGN(directory_lock_, lock_directory(options_.directory));
  EH_ASSIGN(lock_, take_lock(path(keyspace::kLockFile)));
  EH_ASSIGN(const RecoveryReport recovery, recover_if_needed(options_, clock_));
  EH_TRY(create_if_missing());
  EH_TRY(open_environment());
  EH_TRY(compact_if_sparse());
  EH_TRY(open_keys());
  EH_TRY(settle_identity());
  encoder_ = std::make_unique<BlockEncoder>(options_.zstd_level, options_.slow_zstd_level);
  set_reserve_aside();  // for acknowledgements and trims on a full disk
  options_.progress->begin("reading the buffer's state");
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  EH_ASSIGN(Loaded loaded, load(txn, keys_));
  EH_TRY(adopt(std::move(loaded)));
  EH_ASSIGN(const lmdb::Space space, txn.space());
  EH_TRY(settle_archives(txn, space.used()));
  count_set_aside();
  measure(space);
  return {};
}

// On another machine than before the epoch is new. Minis of the old epoch then stay as they are: a
// merged block has one epoch.
Status StoreImpl::settle_identity() {
  EH_ASSIGN(lmdb::Transaction txn, environment_.begin_write());
  EH_ASSIGN(const bool moved, redraw_epoch_if_moved(txn, options_.directory));
  if (moved) {
    EH_ASSIGN(Loaded loaded, load(txn, keys_));
    for (auto& [id, source] : loaded.state.sources) {
      source.minis.clear();
      EH_TRY(
          txn.put(keyspace::source_key(id), keyspace::encode_source(source, loaded.state.format)));
    }
  }
  return txn.commit();
}

Status StoreImpl::create_if_missing() {
  if (exists(path())) return {};
  EH_ASSIGN(const Epoch epoch, draw_epoch());
  return lmdb::Environment::create(path(), [&epoch](lmdb::Transaction& txn) -> Status {
    EH_TRY(txn.put(keyspace::format_key(), keyspace::encode_format(keyspace::kFormat)));
    EH_TRY(txn.put(keyspace::epoch_key(), keyspace::encode_epoch(epoch)));
    EH_TRY(txn.put(keyspace::counters_key(), keyspace::encode_counters({}, keyspace::kFormat)));
    return txn.put(keyspace::clean_mark_key(), keyspace::encode_clean_mark(BlockNumber(0)));
  });
}

Status StoreImpl::open_environment() {
  EH_ASSIGN(environment_,
            lmdb::Environment::open(path(), lmdb::map_size_for(options_.max_size), read_only_));
  limit_ = std::min(options_.max_size, lmdb::max_size_for(environment_.map_size()));
  freed_by_ = environment_.last_transaction();
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  return check_version(txn, path());
}

Status StoreImpl::open_keys() {
  std::vector<std::string> stored;
  {
    EH_ASSIGN(const lmdb::Transaction txn, begin_read());
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
    for (auto entry = cursor.at_or_after(keyspace::kDataKeyPrefix);; entry = cursor.next()) {
      if (!entry) return tl::unexpected(std::move(entry).error());
      if (!*entry || !(*entry)->key.starts_with(keyspace::kDataKeyPrefix)) break;
      stored.emplace_back((*entry)->value);
    }
  }
  if (read_only_) {
    keys_ = Keyring::open_available(stored, options_.keys);
    if (auto opened = Keyring::open(stored, options_.keys); !opened)  // made in memory only
      keys_fit_ = tl::unexpected(std::move(opened).error());
    return {};
  }
  EH_ASSIGN(keys_, Keyring::open(stored, options_.keys));
  if (keys_.to_write().empty()) return {};
  EH_ASSIGN(lmdb::Transaction txn, environment_.begin_write());
  for (const WrappedKey& key : keys_.to_write())
    EH_TRY(txn.put(keyspace::data_key_key(key.id), key.bytes));
  return txn.commit();
}

// Whether `more` bytes on the disk would leave less free than free_disk_percent asks for.
bool StoreImpl::below_floor_with(std::uint64_t more) const {
  const auto disk = disk_space(options_.directory);
  return disk && disk->size > 0 &&
         disk->free < disk->size / 100 * options_.free_disk_percent + more;
}

// A file mostly of free pages is copied without them. Where that does not work (no room for the
// copy), the file is used as it is.
Status StoreImpl::compact_if_sparse() {
  const std::uint64_t size = file_size(path());
  std::uint64_t live = 0;
  {
    EH_ASSIGN(const lmdb::Transaction txn, begin_read());
    EH_ASSIGN(const lmdb::Space space, txn.space());
    live = space.used();
  }
  const std::string copy = path() + ".compact";
  ::unlink(copy.c_str());  // of a start that was interrupted
  const bool sparse = size > kCompactFrom && size / kSparse >= live;
  // Of a limit that was lowered, and half of it delivered since.
  const bool outgrown = size > lmdb::map_size_for(options_.max_size) && size / 2 >= live;
  if (!sparse && !outgrown) return {};
  if (below_floor_with(live)) return {};  // punching holes will do
  options_.progress->begin("compacting the buffer", live);
  if (auto copied = copy_compact(copy); !copied) {
    ::unlink(copy.c_str());
    log::warn("the buffer stays at {} for {} of data: {}", format_size(size), format_size(live),
              copied.error().message);
    return {};
  }
  environment_.close();
  EH_TRY(lmdb::Environment::move_into_place(copy, path()));
  log::info("the buffer was compacted from {} to {}", format_size(size),
            format_size(file_size(path())));
  return open_environment();
}

// LMDB tells nothing while it copies, and a large file takes minutes: how the copy grows is told.
Status StoreImpl::copy_compact(const std::string& copy) const {
  const CopyWatch watch(copy, options_.progress);
  return environment_.copy_compact(copy);
}

Status StoreImpl::adopt(Loaded loaded) {
  open_archives(loaded.state.salvage);
  const std::lock_guard lock(mutex_);
  state_ = std::move(loaded.state);
  catalog_ = std::move(loaded.catalog);
  epoch_ = loaded.epoch;
  clean_ = loaded.clean;
  given_ = state_.counters;
  source_names_.clear();
  sink_names_.clear();
  for (const auto& [id, source] : state_.sources) source_names_.emplace(source.name, id);
  for (const auto& [id, sink] : state_.sinks) sink_names_.emplace(sink.name, id);
  return {};
}

Status StoreImpl::open_reader() {
  read_only_ = true;
  if (!exists(path()))
    return fail(ErrorCode::kNotFound, "there is no buffer in {}", options_.directory);
  EH_TRY(refuse_damaged(path(), options_));
  EH_TRY(open_environment());
  EH_TRY(open_keys());
  return refresh();
}

// A reader beside a daemon sees what the daemon committed by now.
Status StoreImpl::refresh() {
  if (!read_only_) return {};
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  {
    const std::lock_guard lock(mutex_);
    if (loaded_transaction_ == txn.id()) return {};
  }
  EH_ASSIGN(Loaded loaded, load(txn, keys_, Unopened::kLeaveOut));
  EH_ASSIGN(const lmdb::Space space, txn.space());
  EH_TRY(adopt(std::move(loaded)));
  measure(space);
  count_set_aside();
  const std::lock_guard lock(mutex_);
  loaded_transaction_ = txn.id();
  return {};
}

// LMDB refuses further work after a failed write of a meta page; the file itself is whole.
Status StoreImpl::reopen() {
  const std::unique_lock environment(environment_mutex_);
  log::warn("the buffer {} is opened anew after a failed write", path());
  environment_.close();
  return open_environment();
}

Status StoreImpl::close() {
  EH_CHECK(!writing_ && !closed_);
  if (!read_only_) {
    EH_ASSIGN(auto begun, begin());
    auto& txn = static_cast<TransactionImpl&>(*begun);
    EH_TRY(txn.trim_at_least(1));
    EH_TRY(txn.put_clean_mark());
    EH_TRY(txn.commit());
    write_copies_now();
  }
  closed_ = true;
  const std::unique_lock environment(environment_mutex_);
  environment_.close();
  lock_.reset();
  directory_lock_.reset();
  return {};
}

}  // namespace edgehose
