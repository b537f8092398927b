#include "buffer/environment_walk.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

#include "agent/base/bytes.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/page_account.h"
#include "buffer/small_values.h"

namespace edgehose {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kBlockBudget = 1500ms;

Status corrupt(std::string_view what) { return fail(ErrorCode::kCorrupt, "{}", what); }

class Walk {
 public:
  Walk(const std::string& path, const MetaPages& meta, const StoreOptions& options,
       WalkListener& listener)
      : path_(path), meta_(meta), options_(options), listener_(listener) {}

  Status run(CheckDepth depth) {
    auto opened = lmdb::Environment::open(path_, lmdb::map_size_for(options_.max_size), true);
    if (!opened) return refused(std::move(opened).error());
    const lmdb::Environment& env = *opened;
    environment_ = &env;
    EH_ASSIGN(const lmdb::Transaction txn, env.begin_read());
    // Where another process commits meanwhile, the meta page is not of what is walked.
    const lmdb::MetaPage& newest = meta_.pages[txn.id() % 2];
    if (newest.transaction == txn.id()) account_.emplace(env, newest);
    EH_ASSIGN(const auto format, txn.get(keyspace::format_key()));
    if (!format) return corrupt("the format version is missing");
    EH_ASSIGN(const auto version, keyspace::decode_format(*format));
    if (const Status readable = keyspace::check_format(version, path_); !readable) {
      if (version.major == keyspace::kFormat.major) EH_TRY(tell_small_state(txn));
      return readable;
    }
    EH_TRY(open_keys(txn));
    EH_TRY(check_size(env, txn));
    EH_TRY(walk_keys(txn));
    if (undecodable_.empty()) listener_.on_complete();
    EH_TRY(check_free_list(txn));
    if (account_) EH_TRY(account_->finish());
    if (depth == CheckDepth::kStructure) return {};
    if (!undecodable_.empty()) return corrupt(undecodable_);
    if (!has_epoch_ || !has_counters_) return corrupt("the epoch or the counters are missing");
    return check_newest_blocks(txn);
  }

 private:
  // LMDB looks at the meta pages, and those are sound, and at its lock file.
  Status refused(Error error) const {
    if (error.code != ErrorCode::kCorrupt && error.code != ErrorCode::kUnsupported)
      return tl::unexpected(std::move(error));
    return fail(ErrorCode::kBusy,
                "{0} is open in a program with another version of LMDB, or {0}-lock is damaged "
                "({1}): end that program, or delete {0}-lock while nothing has the buffer open",
                path_, error.message);
  }

  // Of a later format, for who takes positions over (set_aside.h): nothing is decoded here.
  Status tell_small_state(const lmdb::Transaction& txn) {
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
    auto entry = cursor.first();
    while (entry && *entry) {
      const auto [key, value] = **entry;
      if (key.starts_with(keyspace::kBlockPrefix)) {
        entry = cursor.at_or_after(keyspace::kBehindBlocks);
        continue;
      }
      if (is_control_key(key)) listener_.on_entry(key, value);
      entry = cursor.next();
    }
    if (!entry) return tl::unexpected(std::move(entry).error());
    return {};
  }

  Status open_keys(const lmdb::Transaction& txn) {
    std::vector<std::string> stored;
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
    auto entry = cursor.at_or_after(keyspace::kDataKeyPrefix);
    for (; entry && *entry && (*entry)->key.starts_with(keyspace::kDataKeyPrefix) &&
           stored.size() < 4096;
         entry = cursor.next())
      stored.emplace_back((*entry)->value);
    if (!entry) return tl::unexpected(std::move(entry).error());
    keys_ = Keyring::open_available(stored, options_.keys);
    return {};
  }

  // Pages at the very end may never have been written: a short file is damage only where a value
  // lies behind its end. Touching it there is a SIGBUS, which is the answer.
  Status check_size(const lmdb::Environment& env, const lmdb::Transaction& txn) {
    EH_ASSIGN(space_, txn.space());
    struct stat st {};
    if (::fstat(env.fd(), &st) != 0) return fail_errno(errno, "looking at " + path_);
    short_ = static_cast<std::uint64_t>(st.st_size) < (space_.last_page + 1) * space_.page_size;
    return {};
  }

  Status walk_keys(const lmdb::Transaction& txn) {
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
    std::string before;
    auto entry = cursor.first();
    for (; entry && *entry; entry = cursor.next()) {
      const auto [key, value] = **entry;
      if (key <= before) return corrupt("its keys are out of order");
      before = key;
      if (account_) EH_TRY(account_->add(**entry));
      if (short_ && !value.empty()) touched_ = touched_ ^ value.back();
      EH_TRY(visit(key, value));
    }
    if (!entry) return tl::unexpected(std::move(entry).error());
    return {};
  }

  Status visit(std::string_view key, std::string_view value) {
    if (key.starts_with(keyspace::kBlockPrefix)) {
      const auto block = keyspace::parse_block_key(key);
      if (!block || value.size() < kBlockHeaderBytes) return corrupt("a block's key is damaged");
      listener_.on_block(block->number,
                         {block->source, value.size(), environment_->offset_of(value)});
      blocks_.emplace_back(*block);
      return {};
    }
    if (key == keyspace::clean_mark_key()) {
      if (const auto mark = keyspace::decode_clean_mark(value)) clean_ = *mark;
      return {};
    }
    if (!is_small_value(key)) return corrupt("it holds a key of no kind");
    if (const Status decoded = check_small_value(key, value, keys_); !decoded) {
      if (undecodable_.empty()) undecodable_ = decoded.error().message;
      return {};
    }
    has_epoch_ = has_epoch_ || key == keyspace::epoch_key();
    has_counters_ = has_counters_ || key == keyspace::counters_key();
    listener_.on_entry(key, value);
    return {};
  }

  // Under rising transactions, as LMDB keeps them.
  Status check_free_list(const lmdb::Transaction& txn) {
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open_free_list(txn));
    std::size_t before = 0;
    auto entry = cursor.first();
    for (; entry && *entry; entry = cursor.next()) {
      EH_TRY(check_freed((*entry)->key, (*entry)->value, before));
      if (account_) EH_TRY(account_->add_free(**entry));
    }
    if (!entry) return tl::unexpected(std::move(entry).error());
    return {};
  }

  // A page that is listed as free and is not would be written over: numbers must be in the file and
  // descend.
  Status check_freed(std::string_view key, std::string_view value, std::size_t& before) const {
    std::size_t id = 0, count = 0;
    if (key.size() != sizeof id || value.size() < sizeof count)
      return corrupt("its free list is damaged");
    std::memcpy(&id, key.data(), sizeof id);
    std::memcpy(&count, value.data(), sizeof count);
    if (id <= before || count > value.size() / sizeof count - 1)
      return corrupt("its free list is damaged");
    before = id;
    auto previous = static_cast<std::size_t>(space_.last_page + 1);
    for (std::size_t i = 1; i <= count; ++i) {
      std::size_t page = 0;
      std::memcpy(&page, value.data() + i * sizeof page, sizeof page);
      if (page >= previous || page < 2) return corrupt("its free list is damaged");
      previous = page;
    }
    return {};
  }

  Status check_newest_blocks(const lmdb::Transaction& txn) const {
    const auto deadline = SteadyClock::now() + kBlockBudget;
    std::uint64_t bytes = 0;
    std::size_t checked = 0;
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
      if (clean_ && block->number <= *clean_) break;
      if (++checked > kCheckBlocks || bytes > kCheckBytes || SteadyClock::now() > deadline) break;
      EH_ASSIGN(const auto value, txn.get(keyspace::block_key(block->number, block->source)));
      if (!value) return corrupt("a block is not where its key says");
      bytes += value->size();
      if (parse_reference(*value)) continue;  // checked when it was salvaged, and when it is read
      const auto opened = open_block(*value, &keys_);
      if (!opened && opened.error().code == ErrorCode::kCorrupt)
        return tl::unexpected(opened.error());
      if (opened && opened->header.number != block->number)
        return corrupt("a block lies under another's key");
    }
    return {};
  }

  const std::string& path_;
  const MetaPages& meta_;
  const StoreOptions& options_;
  WalkListener& listener_;
  const lmdb::Environment* environment_ = nullptr;
  Keyring keys_;
  lmdb::Space space_;
  std::optional<PageAccount> account_;
  bool short_ = false, has_epoch_ = false, has_counters_ = false;
  volatile char touched_ = 0;
  std::string undecodable_;
  std::optional<BlockNumber> clean_;
  std::vector<keyspace::BlockKey> blocks_;
};

}  // namespace

Status walk_environment(const std::string& path, const MetaPages& meta, const StoreOptions& options,
                        CheckDepth depth, WalkListener& listener) {
  return Walk(path, meta, options, listener).run(depth);
}

}  // namespace edgehose
