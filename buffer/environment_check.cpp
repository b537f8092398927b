#include "buffer/environment_check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

#include "agent/base/bytes.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/archive.h"
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"

namespace edgehose {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// The child: a walk that takes longer has hung in a damaged tree (or on a dead disk).
constexpr auto kWalkDeadline = 30s;
constexpr auto kBlockBudget = 1500ms;
constexpr std::size_t kMaxAnswer = 512u << 20;
constexpr std::size_t kMaxKey = 64;  // ours have at most 13 bytes; LMDB allows 511

// --- meta pages --------------------------------------------------------------------------------

// What the meta page at `at` says, read as one word size and byte order would write it
// (LMDB 0.9, struct MDB_page and MDB_meta).
struct Layout {
  const char* name;
  std::size_t word;
  bool big_endian;
};
constexpr Layout kLayouts[] = {{"64-bit little-endian", 8, false},
                               {"32-bit little-endian", 4, false},
                               {"64-bit big-endian", 8, true},
                               {"32-bit big-endian", 4, true}};
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::size_t kMetaBytes = 256;

struct Meta {
  const Layout* layout = nullptr;  // none: not a meta page
  std::uint32_t version = 0;
  std::uint32_t page_size = 0;
};

std::uint32_t u32_at(std::string_view bytes, std::size_t at, bool big_endian) {
  ByteReader in(bytes.substr(at));
  return big_endian ? in.be<std::uint32_t>() : in.le<std::uint32_t>();
}

Meta parse_meta(std::string_view page) {
  for (const Layout& layout : kLayouts) {
    const std::size_t header = layout.word + 8;  // page number, pad, flags, bounds
    if (page.size() < header + 8 + 2 * layout.word + 4) return {};
    if (u32_at(page, header, layout.big_endian) != kMagic) continue;
    Meta meta;
    meta.layout = &layout;
    meta.version = u32_at(page, header + 4, layout.big_endian);
    meta.page_size = u32_at(page, header + 8 + 2 * layout.word, layout.big_endian);
    return meta;
  }
  return {};
}

bool native(const Layout& layout) {
  return layout.word == sizeof(std::size_t) &&
         layout.big_endian == (std::endian::native == std::endian::big);
}

bool valid_page_size(std::uint32_t size) {
  return size >= 512 && size <= 65536 && std::has_single_bit(size);
}

std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  ssize_t n = 0;
  do {
    n = ::pread(fd, bytes.data(), size, static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

// Both meta pages must agree before a file is called foreign: one alone may be damage.
Meta other_meta(int fd, const Meta& first) {
  if (first.layout == nullptr || !valid_page_size(first.page_size)) return {};
  return parse_meta(read_at(fd, first.page_size, kMetaBytes));
}

// Empty: sound as far as the meta pages tell. Else what is wrong with them.
Result<std::string> inspect_meta_pages(const std::string& path) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  if (st.st_size == 0) return std::string("the file is empty");
  const Meta first = parse_meta(read_at(fd.get(), 0, kMetaBytes));
  const Meta second = other_meta(fd.get(), first);
  if (first.layout == nullptr) return std::string("its first meta page is not one");
  if (second.layout != first.layout) return std::string("its meta pages disagree");
  if (!native(*first.layout))
    return fail(
        ErrorCode::kUnsupported,
        "{} was written by a {} program, and this one is {}: LMDB files cannot be moved between "
        "them. Let the old installation deliver everything (edgehose run --once), or move the "
        "file away to start with an empty buffer; nothing was changed",
        path, first.layout->name, sizeof(std::size_t) == 8 ? "64-bit" : "32-bit");
  if (first.version != second.version)
    return std::string("its meta pages disagree about the version");
  if (first.version != kDataVersion)
    return fail(
        ErrorCode::kUnsupported,
        "{} was written by another version of LMDB (data format {}, this one reads {}); use the "
        "program that wrote it, or move the file away to start with an empty buffer; nothing "
        "was changed",
        path, first.version, kDataVersion);
  if (second.page_size != first.page_size)
    return std::string("its meta pages disagree about the page size");
  return std::string();
}

// --- the child ---------------------------------------------------------------------------------

constexpr std::uint64_t kNoOffset = UINT64_MAX;

enum Frame : std::uint8_t {
  kEntry = 1,
  kBlock = 2,
  kComplete = 3,
  kSound = 4,
  kDamaged = 5,
  kForeign = 6,
  kRefused = 7
};

class Answer {
 public:
  explicit Answer(int fd) : fd_(fd) {}
  void send(Frame type, std::string_view payload) {
    put_le(out_, static_cast<std::uint8_t>(type));
    put_le(out_, static_cast<std::uint32_t>(payload.size()));
    out_.append(payload);
    if (out_.size() >= 1 << 16) flush();
  }
  void flush() {
    if (!write_all(fd_, out_, "pipe")) ::_exit(1);
    out_.clear();
  }

 private:
  int fd_;
  std::string out_;
};

Status corrupt(std::string_view what) { return fail(ErrorCode::kCorrupt, "{}", what); }

class Walk {
 public:
  Walk(const std::string& path, const StoreOptions& options, Answer& answer)
      : path_(path), options_(options), answer_(answer) {}

  Status run() {
    EH_ASSIGN(lmdb::Environment env,
              lmdb::Environment::open(path_, lmdb::map_size_for(options_.max_size), true));
    environment_ = &env;
    EH_ASSIGN(const lmdb::Transaction txn, env.begin_read());
    EH_ASSIGN(const auto format, txn.get(keyspace::format_key()));
    if (!format) return corrupt("the format version is missing");
    EH_ASSIGN(const auto version, keyspace::decode_format(*format));
    EH_TRY(keyspace::check_format(version, path_));
    EH_TRY(open_keys(txn));
    EH_TRY(check_size(env, txn));
    EH_TRY(walk_keys(txn));
    if (undecodable_.empty()) answer_.send(kComplete, {});
    EH_TRY(check_free_list(txn));
    if (!undecodable_.empty()) return corrupt(undecodable_);
    if (!has_epoch_ || !has_counters_) return corrupt("the epoch or the counters are missing");
    return check_newest_blocks(txn);
  }

 private:
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
      std::string out;
      put_le(out, block->number.value);
      put_le(out, block->source.value);
      put_le(out, std::uint64_t{value.size()});
      put_le(out, environment_->offset_of(value).value_or(kNoOffset));
      answer_.send(kBlock, out);
      blocks_.emplace_back(*block);
      return {};
    }
    if (key == keyspace::clean_mark_key()) {
      if (const auto mark = keyspace::decode_clean_mark(value)) clean_ = *mark;
      return {};
    }
    // Unknown keys of known kinds may be a later minor version's; others are damage.
    if (key.size() > kMaxKey ||
        (!is_control_key(key) && !key.starts_with(keyspace::kDeadLetterPrefix)))
      return corrupt("it holds a key of no kind");
    if (auto decoded = decode(key, value); !decoded) {
      if (undecodable_.empty()) undecodable_ = decoded.error().message;
      return {};
    }
    has_epoch_ = has_epoch_ || key == keyspace::epoch_key();
    has_counters_ = has_counters_ || key == keyspace::counters_key();
    std::string out;
    put_string(out, key);
    out.append(value);
    answer_.send(kEntry, out);
    return {};
  }

  template <class Decode>
  Status sealed(std::string_view key, std::string_view value, Decode decode) const {
    const auto plain = keys_.open_value(key, value);
    if (!plain && plain.error().code == ErrorCode::kAuth) return {};  // a missing key is not damage
    if (!plain) return tl::unexpected(plain.error());
    if (auto decoded = decode(*plain); !decoded) return tl::unexpected(std::move(decoded).error());
    return {};
  }

  template <class T>
  static Status plain(const Result<T>& decoded) {
    if (!decoded) return tl::unexpected(decoded.error());
    return {};
  }

  Status decode(std::string_view key, std::string_view value) const {
    using namespace keyspace;
    if (key == epoch_key()) return plain(decode_epoch(value));
    if (key == machine_key()) return plain(decode_machine(value));
    if (key == salvage_key()) return plain(decode_salvage(value));
    if (key == counters_key()) return plain(decode_counters(value));
    if (key.starts_with(kSourcePrefix)) return plain(decode_source(key, value));
    if (key.starts_with(kSinkPrefix)) return plain(decode_sink(key, value));
    if (key.starts_with(kLanePrefix)) return plain(decode_lane(key, value));
    if (key.starts_with(kFilePrefix))
      return sealed(key, value, [](auto& v) { return decode_file(v); });
    if (key.starts_with(kClaimPrefix))
      return sealed(key, value, [&](auto& v) { return decode_claim(key, v); });
    if (key.starts_with(kReplayPrefix))
      return sealed(key, value, [&](auto& v) { return decode_replay(key, v); });
    if (key.starts_with(kDeadLetterPrefix))
      return sealed(key, value, [&](auto& v) { return decode_dead_letter(key, v); });
    return {};  // of a later minor version
  }

  // A page that is listed as free and is not would be written over: numbers must be in the file and
  // descend, as LMDB keeps them.
  Status check_free_list(const lmdb::Transaction& txn) const {
    EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open_free_list(txn));
    auto entry = cursor.first();
    for (std::size_t before = 0; entry && *entry; entry = cursor.next()) {
      const auto [key, value] = **entry;
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
    }
    if (!entry) return tl::unexpected(std::move(entry).error());
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
  const StoreOptions& options_;
  Answer& answer_;
  const lmdb::Environment* environment_ = nullptr;
  Keyring keys_;
  lmdb::Space space_;
  bool short_ = false, has_epoch_ = false, has_counters_ = false;
  volatile char touched_ = 0;
  std::string undecodable_;
  std::optional<BlockNumber> clean_;
  std::vector<keyspace::BlockKey> blocks_;
};

[[noreturn]] void be_the_child(const std::string& path, const StoreOptions& options, int out,
                               pid_t parent) {
  // Whoever asked is gone, or will be: nobody waits for the answer.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
  log::set_level(log::Level::kOff);  // another thread may have held the log's lock
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int sig : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGPIPE, SIGTERM, SIGINT})
    ::signal(sig, SIG_DFL);
  // LMDB's assertions are no news here.
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDERR_FILENO);
  Answer answer(out);
  const Status status = Walk(path, options, answer).run();
  if (status) {
    answer.send(kSound, {});
  } else if (status.error().code == ErrorCode::kUnsupported) {
    answer.send(kForeign, status.error().message);
  } else if (status.error().code == ErrorCode::kPermission ||
             status.error().code == ErrorCode::kBusy) {
    answer.send(kRefused, status.error().message);
  } else {
    answer.send(kDamaged, status.error().message);
  }
  answer.flush();
  ::_exit(0);
}

// --- the parent --------------------------------------------------------------------------------

// All that the child writes, until it ends or the deadline passes; the latter says so.
std::string listen(int fd, bool& timed_out, OpenProgress& progress) {
  std::string answer;
  const auto deadline = SteadyClock::now() + kWalkDeadline;
  std::string chunk(1 << 16, '\0');
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left <= 0ms || answer.size() > kMaxAnswer) {
      timed_out = true;
      return answer;
    }
    pollfd readable{fd, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return answer;
    answer.append(chunk, 0, static_cast<std::size_t>(n));
    progress.advance(0);
  }
}

std::string describe_end(int status, bool timed_out) {
  if (timed_out) return "checking it did not come to an end";
  if (WIFSIGNALED(status))
    return fmt::format("reading it ended in a signal ({})", ::strsignal(WTERMSIG(status)));
  return "checking it failed";
}

void take_block(std::string_view payload, EnvironmentCheck& check) {
  ByteReader in(payload);
  const BlockNumber number(in.le<std::uint64_t>());
  LiveBlock block;
  block.source = SourceId(in.le<std::uint32_t>());
  block.size = in.le<std::uint64_t>();
  if (const auto offset = in.le<std::uint64_t>(); offset != kNoOffset) block.offset = offset;
  if (in.ok()) check.blocks[number] = block;
}

Result<EnvironmentCheck> understand(std::string_view answer, int status, bool timed_out) {
  EnvironmentCheck check;
  bool judged = false;
  for (ByteReader in(answer); !in.at_end();) {
    const auto type = in.le<std::uint8_t>();
    const std::string_view payload = in.take(in.le<std::uint32_t>());
    if (!in.ok()) break;  // the child ended in the middle
    if (type == kEntry) {
      ByteReader entry(payload);
      const std::string_view key = entry.string();
      if (entry.ok()) check.entries[std::string(key)] = entry.rest();
    } else if (type == kBlock) {
      take_block(payload, check);
    } else if (type == kComplete) {
      check.complete = true;
    } else if (type == kForeign) {
      return fail(ErrorCode::kUnsupported, "{}", payload);
    } else if (type == kRefused) {
      return fail(ErrorCode::kPermission, "{}", payload);
    } else {
      judged = true;
      check.sound = type == kSound;
      check.reason = payload;
    }
  }
  if (!judged) {
    check.sound = false;
    check.reason = describe_end(status, timed_out);
  }
  return check;
}

}  // namespace

Result<EnvironmentCheck> check_environment(const std::string& path, const StoreOptions& options) {
  EH_ASSIGN(const std::string meta, inspect_meta_pages(path));
  EnvironmentCheck check;
  check.reason = meta;
  if (!meta.empty()) return check;
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return fail_errno(errno, "making a pipe to check the buffer");
  FileDescriptor in(pipe[0]), out(pipe[1]);
  options.progress->begin("checking the buffer");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "starting a process to check the buffer");
  if (child == 0) {
    in.reset();
    be_the_child(path, options, out.get(), parent);
  }
  out.reset();
  bool timed_out = false;
  const std::string answer = listen(in.get(), timed_out, *options.progress);
  if (timed_out) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return understand(answer, status, timed_out);
}

Status refuse_truncated(const lmdb::Environment& environment, const std::string& path,
                        const StoreOptions& options) {
  struct stat st {};
  if (::fstat(environment.fd(), &st) != 0)
    return fail_errno(errno, fmt::format("looking at {}", path));
  if (static_cast<std::uint64_t>(st.st_size) >= environment.full_length()) return {};
  EH_ASSIGN(const EnvironmentCheck check, check_environment(path, options));
  if (check.sound) return {};
  return fail(ErrorCode::kCorrupt,
              "the buffer {} is damaged ({}): start the agent, it salvages what can be read", path,
              check.reason);
}

}  // namespace edgehose
