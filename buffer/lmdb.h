// LMDB, wrapped: the only header of ours that stands between lmdb.h and everything else.
// Environment, transaction and cursor own what they name; errors are values.
//
// Only the unnamed database is used. Flags: MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, and the
// default sync; never MDB_WRITEMAP or MDB_NOSYNC.
//
// Errors: MDB_MAP_FULL, ENOSPC, EDQUOT, a write cut short for want of room -> kFull; MDB_CORRUPTED,
// MDB_PAGE_NOTFOUND, MDB_INVALID -> kCorrupt; MDB_PANIC, and an environment that is not open ->
// kUnavailable (open it anew); MDB_VERSION_MISMATCH -> kUnsupported; MDB_NOTFOUND -> kNotFound;
// others as errno says.
//
// Threading: an Environment may be used by any thread; a Transaction by one at a time. One write
// transaction at a time, by LMDB's own lock, across processes too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/result.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace edgehose::lmdb {

constexpr std::size_t kPageBytes = 4096;

// LMDB's name and version, as it tells them.
std::string version();

// MDB_* or errno to an Error: "<what>: <lmdb's words>".
Error error(int code, std::string_view what);

struct Space {
  std::uint64_t page_size = 0;
  std::uint64_t last_page = 0;   // pages 0 to this one lie in the file
  std::uint64_t free_pages = 0;  // of them, on the free list
  std::uint64_t map_size = 0;
  std::uint64_t used() const { return (last_page + 1 - free_pages) * page_size; }
};

// Pages of the file that follow each other.
struct Pages {
  std::uint64_t first = 0, count = 0;
};
// Where a large value lies, or will, in a file with pages of that many bytes: also one that this
// transaction has put. None for a value that shares a page with others.
std::optional<Pages> pages_of(std::string_view value, std::uint64_t page_size);

// A key and its value, valid until the transaction writes or ends.
struct Entry {
  std::string_view key;
  std::string_view value;
};

class Environment;

class Transaction {
 public:
  Transaction() = default;
  Transaction(Transaction&& o) noexcept : txn_(std::exchange(o.txn_, nullptr)), dbi_(o.dbi_) {}
  Transaction& operator=(Transaction&& o) noexcept;
  ~Transaction() { abort(); }

  bool open() const { return txn_ != nullptr; }
  // None where the key is not there. Borrowed: see Entry.
  Result<std::optional<std::string_view>> get(std::string_view key) const;
  Status put(std::string_view key, std::string_view value);
  // The key is the largest yet: pages are filled up rather than split in the middle.
  Status append(std::string_view key, std::string_view value);
  // Whether it was there. A large value's own page header is put right first where it is damaged.
  Result<bool> erase(std::string_view key);
  // The first entry at or after `key`.
  Result<std::optional<Entry>> at_or_after(std::string_view key) const;
  // Walks the free list. Of a read transaction only: LMDB shows it to no other.
  Result<Space> space() const;
  std::uint64_t id() const;
  Status commit();
  void abort();
  MDB_txn* raw() const { return txn_; }

 private:
  friend class Environment;
  friend class Cursor;
  MDB_txn* txn_ = nullptr;
  unsigned dbi_ = 1;
};

class Cursor {
 public:
  static Result<Cursor> open(const Transaction& txn);
  static Result<Cursor> open_free_list(const Transaction& txn);  // keys: transaction ids; read only
  Cursor(Cursor&& o) noexcept : cursor_(std::exchange(o.cursor_, nullptr)) {}
  Cursor& operator=(Cursor&&) = delete;
  ~Cursor();

  Result<std::optional<Entry>> first();
  Result<std::optional<Entry>> next();
  Result<std::optional<Entry>> at_or_after(std::string_view key);
  Result<std::optional<Entry>> last();

 private:
  explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
  Result<std::optional<Entry>> move(int operation, std::string_view key);
  MDB_cursor* cursor_;
};

class Environment {
 public:
  // Makes an empty environment at `path` from a template of two meta pages of 4 KiB (elsewhere LMDB
  // takes the machine's page size, and 16 or 64 KiB pages multiply what a commit writes). It is
  // written aside, committed once, renamed into place and its directory synced. `first` fills the
  // first commit.
  template <class Fill>
  static Status create(const std::string& path, Fill first) {
    EH_TRY(write_template(path + ".new"));
    {
      EH_ASSIGN(Environment env, open(path + ".new", kSmallMap, false));
      EH_ASSIGN(Transaction txn, env.begin_write());
      EH_TRY(first(txn));
      EH_TRY(txn.commit());
    }
    return move_into_place(path + ".new", path);
  }

  // `map_size`, or map_size_for_file() where that is more, rounded up to pages; where the machine
  // refuses it, less is tried, an eighth at a time down to the file's size, with a warning: see
  // map_size(). Never grows afterwards.
  static Result<Environment> open(const std::string& path, std::uint64_t map_size, bool read_only);

  Environment() = default;
  Environment(Environment&& o) noexcept : env_(std::exchange(o.env_, nullptr)) {}
  Environment& operator=(Environment&& o) noexcept;
  ~Environment() { close(); }

  Result<Transaction> begin_write();
  Result<Transaction> begin_read() const;
  // A compact copy at `path`, synced; the file must not exist.
  Status copy_compact(const std::string& path) const;
  // Processes that were killed while they read stay in the table of readers (64 places), and what
  // they looked at would never be reused. Cheap while there is none.
  void forget_dead_readers() const;
  // The smallest transaction id that a reader still looks at; the newest id where there is none.
  std::uint64_t oldest_reader() const;
  std::uint64_t last_transaction() const;
  int fd() const;
  // Where in the file a value lies that a read transaction gave; none where that cannot be told.
  std::optional<std::uint64_t> offset_of(std::string_view value) const;
  std::uint64_t map_size() const;
  // How long the file is when it holds every page that was ever given out. A shorter one may be
  // sound (pages given back before they were written) or truncated: then reading it is a SIGBUS.
  std::uint64_t full_length() const;
  void close();
  bool is_open() const { return env_ != nullptr; }

  static Status write_template(const std::string& path);
  // Renames a closed environment file, replacing what is there; syncs the directory.
  static Status move_into_place(const std::string& from, const std::string& to);
  static constexpr std::uint64_t kSmallMap = 64ull << 20;

 private:
  Status check_open() const;
  MDB_env* env_ = nullptr;
};

// What the map of a buffer of this limit takes: a quarter and 16 MiB above it, for what must always
// find room. At most 1 GiB where pointers have 32 bits.
std::uint64_t map_size_for(std::uint64_t max_size, unsigned pointer_bits = sizeof(void*) * 8);
// What it takes at least where the file is there already, of whatever limit it was: 16 MiB above
// it, so that what a lowered limit does not allow any more can be acknowledged and dropped.
std::uint64_t map_size_for_file(std::uint64_t file_size, unsigned pointer_bits = sizeof(void*) * 8);
// The largest limit whose map_size_for() fits into a map of this size; half of a small map where
// that is more.
std::uint64_t max_size_for(std::uint64_t map_size);

}  // namespace edgehose::lmdb
