#include "buffer/lmdb.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/disk_room.h"
#include "buffer/lmdb_pages.h"

namespace edgehose::lmdb {
namespace {

constexpr unsigned kFlags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
constexpr MDB_dbi kFreeList = 0;
constexpr mode_t kMode = 0600;
constexpr unsigned kMaxReaders = 64;
constexpr std::uint64_t kOneWrite = 64 * kPageBytes;  // what LMDB hands over at once

MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view to_view(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

ErrorCode code_of(int code) {
  switch (code) {
    case MDB_MAP_FULL: return ErrorCode::kFull;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return ErrorCode::kCorrupt;
    // LMDB gave up after a failed write. Nothing is wrong with what is stored: whoever took this
    // for damage would leave sound blocks out.
    case MDB_PANIC: return ErrorCode::kUnavailable;
    case MDB_VERSION_MISMATCH: return ErrorCode::kUnsupported;
    case MDB_NOTFOUND: return ErrorCode::kNotFound;
    case MDB_READERS_FULL: return ErrorCode::kBusy;
    default: return ErrorCode::kIo;
  }
}

Status check(int code, std::string_view what) {
  if (code == MDB_SUCCESS) return {};
  return tl::unexpected(error(code, what));
}

std::string meta_page(std::size_t number) {
  MetaPage meta;
  std::memset(&meta, 0, sizeof meta);
  meta.header.number = number;
  meta.header.flags = kMetaPage;
  meta.magic = kMagic;
  meta.version = kDataVersion;
  meta.map_size = Environment::kSmallMap;
  meta.free_list.pad = kPageBytes;  // the page size is kept here
  meta.free_list.flags = kIntegerKey;
  meta.free_list.root = meta.main.root = kNoPage;
  meta.last_page = 1;
  std::string page(kPageBytes, '\0');
  std::memcpy(page.data(), &meta, sizeof meta);
  return page;
}

std::uint64_t file_size(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

// LMDB follows symlinks, and writes to its lock whatever that is. Of another user they could lead
// root anywhere; one's own and root's are meant so.
Status refuse_foreign_symlink(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0 || !S_ISLNK(st.st_mode)) return {};
  if (st.st_uid == 0 || st.st_uid == ::geteuid()) return {};
  return fail(ErrorCode::kPermission, "opening {}: it is a symlink of user {}; remove it", path,
              st.st_uid);
}

// One attempt, with a map of exactly this size.
Result<MDB_env*> try_open(const std::string& path, std::uint64_t map_size, bool read_only) {
  if (map_size > std::numeric_limits<std::size_t>::max())
    return fail_errno(ENOMEM, fmt::format("mapping the buffer {}", path));
  EH_TRY(refuse_foreign_symlink(path));
  EH_TRY(refuse_foreign_symlink(path + "-lock"));
  MDB_env* env = nullptr;
  EH_TRY(check(mdb_env_create(&env), "creating an LMDB environment"));
  int code = mdb_env_set_mapsize(env, static_cast<std::size_t>(map_size));
  if (code == 0) code = mdb_env_set_maxreaders(env, kMaxReaders);
  if (code == 0)
    code = mdb_env_open(env, path.c_str(), kFlags | (read_only ? MDB_RDONLY : 0u), kMode);
  if (code == 0) {
    give_to_owner_of_parent(path + "-lock");  // LMDB made it where there was none
    return env;
  }
  mdb_env_close(env);
  return tl::unexpected(error(code, fmt::format("opening the buffer {}", path)));
}

// Where LMDB mapped the file, which it does not tell; kept as the environment's context.
struct Mapping {
  const char* begin = nullptr;
  std::size_t bytes = 0;
};

Mapping find_mapping(int fd) {
  std::error_code none;
  const std::string path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), none);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; !path.empty() && std::getline(maps, line);) {
    unsigned long long begin = 0, end = 0, offset = 1;
    if (std::sscanf(line.c_str(), "%llx-%llx %*s %llx", &begin, &end, &offset) != 3) continue;
    if (offset == 0 && line.ends_with(" " + path))
      return {reinterpret_cast<const char*>(static_cast<std::uintptr_t>(begin)),
              static_cast<std::size_t>(end - begin)};
  }
  return {};
}

// LMDB believes the header before a large value when it frees the value's pages, and after damage
// it may say anything: free pages that others use, or millions that are not there. It is known what
// it must say.
Status mend_large_header(MDB_txn* txn, std::string_view value) {
  MDB_env* const env = mdb_txn_env(txn);
  const auto* const map = static_cast<const Mapping*>(mdb_env_get_userctx(env));
  MDB_stat stat;
  EH_TRY(check(mdb_env_stat(env, &stat), "reading the buffer's page size"));
  const char* const at = value.data() - sizeof(PageHeader);
  if (map == nullptr || at < map->begin || at >= map->begin + map->bytes)
    return {};  // or in memory
  const auto offset = static_cast<std::size_t>(at - map->begin);
  if (offset % stat.ms_psize != 0) return {};  // it shares a page with others
  PageHeader header;
  std::memcpy(&header, at, sizeof header);
  const PageHeader right{
      offset / stat.ms_psize, 0, kLargePage,
      static_cast<std::uint32_t>((sizeof(PageHeader) + value.size() + stat.ms_psize - 1) /
                                 stat.ms_psize)};
  if (header.number == right.number && header.flags == right.flags && header.rest == right.rest)
    return {};
  log::warn("the buffer's page {} was damaged: its header is put right", right.number);
  int fd = -1;
  mdb_env_get_fd(env, &fd);
  if (::pwrite(fd, &right, sizeof right, static_cast<off_t>(offset)) != sizeof right)
    return fail_errno(errno, "mending a page of the buffer");
  return {};
}

std::uint64_t round_to_pages(std::uint64_t bytes) {
  const auto machine_page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t page = std::max<std::uint64_t>(machine_page, kPageBytes);
  return (bytes + page - 1) / page * page;
}

}  // namespace

std::optional<Pages> pages_of(std::string_view value, std::uint64_t page_size) {
  // LMDB keeps what is larger in pages of its own, behind a header.
  if (value.size() < page_size / 2) return std::nullopt;
  PageHeader header;
  std::memcpy(&header, value.data() - sizeof header, sizeof header);
  if ((header.flags & kLargePage) == 0) return std::nullopt;
  return Pages{header.number, header.rest};
}

std::string version() { return mdb_version(nullptr, nullptr, nullptr); }

Error error(int code, std::string_view what) {
  if (code > 0) return errno_error(code, what);
  return Error{code_of(code), 0, fmt::format("{}: {}", what, mdb_strerror(code))};
}

// --- Transaction
// -----------------------------------------------------------------------------------

Transaction& Transaction::operator=(Transaction&& o) noexcept {
  if (this != &o) {
    abort();
    txn_ = std::exchange(o.txn_, nullptr);
    dbi_ = o.dbi_;
  }
  return *this;
}

Result<std::optional<std::string_view>> Transaction::get(std::string_view key) const {
  MDB_val k = to_val(key), v;
  const int code = mdb_get(txn_, dbi_, &k, &v);
  if (code == MDB_NOTFOUND) return std::nullopt;
  EH_TRY(check(code, "reading the buffer"));
  return to_view(v);
}

Status Transaction::put(std::string_view key, std::string_view value) {
  MDB_val k = to_val(key), v = to_val(value);
  return check(mdb_put(txn_, dbi_, &k, &v, 0), "writing the buffer");
}

Status Transaction::append(std::string_view key, std::string_view value) {
  MDB_val k = to_val(key), v = to_val(value);
  return check(mdb_put(txn_, dbi_, &k, &v, MDB_APPEND), "writing the buffer");
}

Result<bool> Transaction::erase(std::string_view key) {
  MDB_val k = to_val(key), v;
  const int code = mdb_get(txn_, dbi_, &k, &v);
  if (code == MDB_NOTFOUND) return false;
  EH_TRY(check(code, "reading the buffer"));
  EH_TRY(mend_large_header(txn_, to_view(v)));
  EH_TRY(check(mdb_del(txn_, dbi_, &k, nullptr), "deleting from the buffer"));
  return true;
}

Result<std::optional<Entry>> Transaction::at_or_after(std::string_view key) const {
  EH_ASSIGN(Cursor cursor, Cursor::open(*this));
  return cursor.at_or_after(key);
}

Result<Space> Transaction::space() const {
  MDB_envinfo info;
  MDB_stat stat;
  MDB_env* const env = mdb_txn_env(txn_);
  EH_TRY(check(mdb_env_info(env, &info), "reading the buffer's size"));
  EH_TRY(check(mdb_env_stat(env, &stat), "reading the buffer's size"));
  Space space{.page_size = stat.ms_psize,
              .last_page = info.me_last_pgno,
              .free_pages = 0,
              .map_size = info.me_mapsize};
  EH_ASSIGN(Cursor cursor, Cursor::open_free_list(*this));
  for (auto entry = cursor.first();; entry = cursor.next()) {
    if (!entry) return tl::unexpected(std::move(entry).error());
    if (!*entry) return space;
    std::size_t pages = 0;  // a free-list value begins with its count
    if ((*entry)->value.size() >= sizeof pages)
      std::memcpy(&pages, (*entry)->value.data(), sizeof pages);
    space.free_pages += pages;
  }
}

std::uint64_t Transaction::id() const { return mdb_txn_id(txn_); }

Status Transaction::commit() {
  MDB_env* const env = mdb_txn_env(txn_);
  int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  // LMDB has EIO for every write that was cut short, and a full disk is what cuts them.
  const char* path = nullptr;
  if (code == EIO && mdb_env_get_path(env, &path) == MDB_SUCCESS &&
      has_no_room(parent_directory(path), kOneWrite))
    code = ENOSPC;
  return check(code, "committing to the buffer");
}

void Transaction::abort() {
  if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

// --- Cursor
// ----------------------------------------------------------------------------------------

namespace {
Result<MDB_cursor*> open_cursor(MDB_txn* txn, MDB_dbi dbi) {
  MDB_cursor* cursor = nullptr;
  EH_TRY(check(mdb_cursor_open(txn, dbi, &cursor), "reading the buffer"));
  return cursor;
}
}  // namespace

Result<Cursor> Cursor::open(const Transaction& txn) {
  EH_ASSIGN(MDB_cursor * cursor, open_cursor(txn.txn_, txn.dbi_));
  return Cursor(cursor);
}

Result<Cursor> Cursor::open_free_list(const Transaction& txn) {
  EH_ASSIGN(MDB_cursor * cursor, open_cursor(txn.txn_, kFreeList));
  return Cursor(cursor);
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

Result<std::optional<Entry>> Cursor::move(int operation, std::string_view key) {
  MDB_val k = to_val(key), v{};
  const int code = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(operation));
  if (code == MDB_NOTFOUND) return std::nullopt;
  EH_TRY(check(code, "reading the buffer"));
  return Entry{to_view(k), to_view(v)};
}

Result<std::optional<Entry>> Cursor::first() { return move(MDB_FIRST, {}); }
Result<std::optional<Entry>> Cursor::next() { return move(MDB_NEXT, {}); }
Result<std::optional<Entry>> Cursor::last() { return move(MDB_LAST, {}); }
Result<std::optional<Entry>> Cursor::at_or_after(std::string_view key) {
  return move(MDB_SET_RANGE, key);
}

// --- Environment
// -----------------------------------------------------------------------------------

Environment& Environment::operator=(Environment&& o) noexcept {
  if (this != &o) {
    close();
    env_ = std::exchange(o.env_, nullptr);
  }
  return *this;
}

void Environment::close() {
  if (env_ == nullptr) return;
  const std::unique_ptr<Mapping> mapping(static_cast<Mapping*>(mdb_env_get_userctx(env_)));
  mdb_env_close(std::exchange(env_, nullptr));
}

std::optional<std::uint64_t> Environment::offset_of(std::string_view value) const {
  const auto* const map = static_cast<const Mapping*>(mdb_env_get_userctx(env_));
  if (map == nullptr || value.data() < map->begin || value.data() >= map->begin + map->bytes)
    return std::nullopt;
  return static_cast<std::uint64_t>(value.data() - map->begin);
}

Status Environment::write_template(const std::string& path) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_WRONLY | O_CREAT | O_TRUNC, kMode));
  return write_all(fd.get(), meta_page(0) + meta_page(1), path);
}

Status Environment::move_into_place(const std::string& from, const std::string& to) {
  {
    EH_ASSIGN(const FileDescriptor fd, open_file(from, O_RDONLY));
    if (::fsync(fd.get()) != 0) return fail_errno(errno, fmt::format("syncing {}", from));
  }
  ::unlink((from + "-lock").c_str());
  ::unlink((to + "-lock").c_str());  // describes readers of the file that is replaced
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno(errno, fmt::format("renaming {} to {}", from, to));
  return sync_directory(parent_directory(to));
}

Result<Environment> Environment::open(const std::string& path, std::uint64_t map_size,
                                      bool read_only) {
  const std::uint64_t smallest =
      round_to_pages(std::max<std::uint64_t>(file_size(path), 2 * kPageBytes));
  const std::uint64_t wanted =
      std::max(round_to_pages(std::max(map_size, map_size_for_file(smallest))), smallest);
  for (std::uint64_t size = wanted;;) {
    auto env = try_open(path, size, read_only);
    if (env) {
      if (size < wanted)
        log::warn(
            "the machine maps {} of the buffer {}, not the {} that its limit asks for: it will be "
            "full earlier",
            format_size(size), path, format_size(wanted));
      Environment opened;
      opened.env_ = *env;
      mdb_env_set_userctx(opened.env_, new Mapping(find_mapping(opened.fd())));
      return opened;
    }
    if (env.error().sys != ENOMEM || size == smallest)
      return tl::unexpected(std::move(env).error());
    const std::uint64_t less = std::max<std::uint64_t>(size / 8, round_to_pages(1));
    size = std::max(round_to_pages(size - less), smallest);
  }
}

Status Environment::check_open() const {
  if (env_ != nullptr) return {};
  return fail(ErrorCode::kUnavailable,
              "the buffer is not open: it could not be opened anew, or is closed");
}

Result<Transaction> Environment::begin_write() {
  EH_TRY(check_open());
  Transaction txn;
  EH_TRY(check(mdb_txn_begin(env_, nullptr, 0, &txn.txn_), "beginning a transaction"));
  EH_TRY(check(mdb_dbi_open(txn.txn_, nullptr, 0, &txn.dbi_), "opening the buffer's database"));
  return txn;
}

Result<Transaction> Environment::begin_read() const {
  EH_TRY(check_open());
  Transaction txn;
  int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn.txn_);
  if (code == MDB_READERS_FULL) {
    forget_dead_readers();
    code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn.txn_);
  }
  EH_TRY(check(code, "beginning to read the buffer"));
  EH_TRY(check(mdb_dbi_open(txn.txn_, nullptr, 0, &txn.dbi_), "opening the buffer's database"));
  return txn;
}

Status Environment::copy_compact(const std::string& path) const {
  return check(mdb_env_copy2(env_, path.c_str(), MDB_CP_COMPACT),
               fmt::format("copying the buffer to {}", path));
}

std::uint64_t Environment::last_transaction() const {
  MDB_envinfo info;
  return mdb_env_info(env_, &info) == 0 ? info.me_last_txnid : 0;
}

namespace {
// A line of mdb_reader_list(): "pid thread txnid", "-" for a reader that looks at nothing.
int oldest_of_line(const char* line, void* context) {
  auto* oldest = static_cast<unsigned long long*>(context);
  unsigned long long txn = 0;
  if (std::sscanf(line, " %*d %*x %llu", &txn) == 1 && txn < *oldest) *oldest = txn;
  return 0;
}
}  // namespace

void Environment::forget_dead_readers() const {
  int dead = 0;
  mdb_reader_check(env_, &dead);
}

std::uint64_t Environment::oldest_reader() const {
  forget_dead_readers();
  unsigned long long oldest = last_transaction();
  mdb_reader_list(env_, &oldest_of_line, &oldest);
  return oldest;
}

int Environment::fd() const {
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  return fd;
}

std::uint64_t Environment::map_size() const {
  MDB_envinfo info{};
  return mdb_env_info(env_, &info) == 0 ? info.me_mapsize : 0;
}

std::uint64_t Environment::full_length() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  if (mdb_env_info(env_, &info) != 0 || mdb_env_stat(env_, &stat) != 0) return 0;
  return (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
}

namespace {
constexpr std::uint64_t kMapMore = 16ull << 20;

std::uint64_t bounded(std::uint64_t map_size, unsigned pointer_bits) {
  constexpr std::uint64_t k32Bit = 1ull << 30;
  return pointer_bits == 32 ? std::min(map_size, k32Bit) : map_size;
}
}  // namespace

std::uint64_t map_size_for(std::uint64_t max_size, unsigned pointer_bits) {
  return bounded(max_size + max_size / 4 + kMapMore, pointer_bits);
}

std::uint64_t map_size_for_file(std::uint64_t file_size, unsigned pointer_bits) {
  return bounded(file_size + kMapMore, pointer_bits);
}

std::uint64_t max_size_for(std::uint64_t map_size) {
  const std::uint64_t fits = map_size > kMapMore ? ((map_size - kMapMore) * 4 + 4) / 5 : 0;
  return std::max(fits, map_size / 2);
}

}  // namespace edgehose::lmdb
