// A writer and a rotator do at random what they do in life, while the source looks, fills up,
// commits, fails to commit, stops and crashes. A model knows where each line still is. Every line
// arrives exactly once; only one that its last holder lost before it was committed may be missing.
// Where rotations are renames alone, as in every seventh seed, lines also arrive in order.
//
//   EDGEHOSE_SOAK_SEEDS=FIRST-LAST   other seeds than the share that always runs
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>

#include "agent/base/log.h"
#include "agent/sources/identity.h"
#include "buffer/block.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

constexpr int kKept = 5;  // a.log.1 to a.log.5

class Soak : public FileSourceTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  using Lines = std::set<int>;

  void SetUp() override {
    FileSourceTest::SetUp();
    random_.seed(GetParam());
    renames_only_ = GetParam() % 7 == 5;
    one_copy_ = GetParam() % 11 == 3 && !renames_only_;
    if (std::getenv("EDGEHOSE_SOAK_STORY")) log::set_level(log::Level::kDebug);
    config.paths = {dir + (chance(2) ? "/a.log*" : "/*.log")};
    // With few descriptors a rotation that may be deleted unread is read before its turn.
    config.max_open_files = chance(3) && !renames_only_ ? 4 : 64;
    environment.inotify = !chance(4);
    if (chance(3) && !renames_only_)  // what shares a header is told apart by its names alone
      header_ = "# " + std::string(chance(2) ? 20 : 900, 'h') + "\n";
    if (GetParam() % 16 == 0) {
      options_.directory = dir + "-data";
      options_.max_size = 64ull << 20;
      options_.free_disk_percent = 0;
    }
    create();
    open();
    EXPECT_TRUE(drain().urgent) << "the first look is to be committed";
    commit_all(true);
  }
  void TearDown() override {
    source.reset();
    real_.reset();
    if (!options_.directory.empty()) std::filesystem::remove_all(options_.directory);
    FileSourceTest::TearDown();
  }

  bool chance(unsigned n) { return random_() % n == 0; }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  void note(const std::string& what) {
    story_ += what + "; ";
    if (std::getenv("EDGEHOSE_SOAK_STORY")) {
      std::string files;
      for (const auto& e : std::filesystem::directory_iterator(dir))
        files += " " + e.path().filename().string() + ":" +
                 std::to_string(std::filesystem::file_size(e.path()));
      std::fprintf(stderr, "-- %s  room %zd got %zu |%s\n%s", what.c_str(), out.room,
                   out.got.size(), files.c_str(), news().c_str());
    }
  }

  // For the story: the lines that came since it was last told, and the positions as committed.
  std::string news() {
    std::string text;
    for (told_ = std::min(told_, out.got.size()); told_ < out.got.size(); ++told_)
      text += " " + std::to_string(out.got[told_].file.value) + ":" +
              std::to_string(number(out.got[told_].body, " end "));
    if (!text.empty()) text = "   got" + text + "\n";
    for (const auto& [id, state] : store.files) {
      std::string position = "   #" + std::to_string(id) + " " + state.path.substr(dir.size() + 1) +
                             " " + std::to_string(state.offset) +
                             (state.finished ? " finished" : "") +
                             (state.crc_known ? "" : " skipped") + " start " +
                             std::to_string(state.identity.prefix_length) + " inode " +
                             std::to_string(state.identity.inode) + "\n";
      if (told_positions_.insert(position).second) text += position;
    }
    return text;
  }

  // --- the source and its store
  // -------------------------------------------------------------------

  void open() {
    if (!options_.directory.empty()) {
      auto opened = Store::open(options_, clock);
      ASSERT_TRUE(opened) << opened.error().message;
      real_ = std::move(*opened);
    }
    Store& used = real_ ? *real_ : static_cast<Store&>(store);
    auto made = make_file_sources({config}, used, clock, environment);
    ASSERT_TRUE(made) << made.error().message;
    source = std::move((*made)[0]);
  }

  void commit_all(bool succeed) {
    note(succeed ? "commit" : "failed commit");
    ASSERT_TRUE(source->before_commit());
    if (!real_) {
      commit(succeed);
    } else {
      auto txn = real_->begin();
      ASSERT_TRUE(txn);
      BlockBuilder builder(real_->source_id("app"));
      for (std::size_t i = committed; i < out.got.size(); ++i) {
        const Got& got = out.got[i];
        NewRecord record;
        record.body = got.body;
        record.time = clock.wall();
        record.file = got.file;
        record.begin = got.begin;
        record.end = got.end;
        builder.append(record);
      }
      if (committed < out.got.size()) {
        ASSERT_TRUE((*txn)->append(builder.take()));
      }
      ASSERT_TRUE(source->checkpoint(**txn));
      if (succeed) {
        ASSERT_TRUE((*txn)->commit());
        committed = out.got.size();
      }
      source->settled(succeed);
    }
    for (; counted_ < committed; ++counted_)
      if (const int n = number(out.got[counted_].body, " end "); n >= 0) {
        ASSERT_TRUE(safe_.insert(n).second || ambiguous_.contains(n))
            << "twice: " << n << " after " << story_;
      }
  }

  void restart(bool clean) {
    note(clean ? "stop" : "crash");
    if (clean) commit_all(true);
    crash();
    if (real_ && clean) {
      ASSERT_TRUE(real_->close());
    }
    real_.reset();
    if (chance(3)) meanwhile();
    // What is copied to a.log.1 is less than 1 KiB, and nothing tells any more that this is its
    // name.
    if (!log_is_known()) ambiguous_.insert(in_small_copies_.begin(), in_small_copies_.end());
    if (chance(4)) {
      note("boot");
      environment.boot_id += "+";
      if (!real_ && chance(2))
        for (auto& [id, state] : store.files) state.identity.filesystem += 1;
    }
    open();
  }

  // Its name, or a position under it.
  bool log_is_known() const {
    return exists("a.log") || std::ranges::any_of(store.files, [&](const auto& entry) {
             return entry.second.path == path("a.log");
           });
  }

  void meanwhile() {
    for (int n = static_cast<int>(random_() % 4); n >= 0; --n) change();
  }

  // --- the writer
  // ---------------------------------------------------------------------------------

  static int number(const std::string& body, const char* mark) {
    const auto at = body.find(mark);
    return at == std::string::npos ? -1 : std::atoi(body.c_str() + at + std::strlen(mark));
  }

  // What is written later has a later time: the file system's clock ticks too slowly for a test.
  void append(const std::string& name, const std::string& text) {
    FileSourceTest::append(name, text);
    if (renames_only_)
      std::filesystem::last_write_time(path(name),
                                       std::filesystem::file_time_type{} + seconds(++written_));
  }

  void create() {
    if (exists("a.log")) return;
    append("a.log", chance(2) ? header_ : "");
    holders_["a.log"];
  }

  void end_line(const std::string& name) {
    if (open_line_ < 0 || open_in_ != name) return;
    append(name, " end " + std::to_string(open_line_) + "\n");
    holders_[name].insert(open_line_);
    ended_.insert(open_line_);
    open_line_ = -1;
  }

  void write_lines(const std::string& name) {
    if (!exists(name)) return;
    note("write " + name);
    if (std::filesystem::file_size(path(name)) == 0) append(name, header_);
    end_line(name);
    std::string text;
    for (int n = static_cast<int>(random_() % 40); n >= 0; --n) {
      text += "line " + std::to_string(next_) + " " + std::string(random_() % 200, '.') + " end " +
              std::to_string(next_) + "\n";
      holders_[name].insert(next_);
      ended_.insert(next_++);
    }
    append(name, text);
    if (name == "a.log" && open_line_ < 0 && chance(3)) {  // a line in two writes
      append(name, "line " + std::to_string(next_) + " half");
      open_line_ = next_++;
      open_in_ = name;
    }
  }

  // A content that has gone from this name; its uncommitted lines need another holder.
  void lose(const std::string& name) {
    const Lines gone = std::exchange(holders_[name], {});
    holders_.erase(name);
    for (const int line : gone) {
      const bool held = std::any_of(holders_.begin(), holders_.end(),
                                    [&](const auto& h) { return h.second.contains(line); });
      if (!held && !safe_.contains(line)) at_risk_.insert(line);
    }
    if (open_in_ == name) open_line_ = -1;
  }

  // --- the rotator
  // --------------------------------------------------------------------------------

  void move(const std::string& from, const std::string& to) {
    if (!exists(from)) return;
    if (exists(to)) lose(to);
    rename(from, to);
    holders_[to] = holders_[from];
    holders_.erase(from);
    if (open_in_ == from) open_in_ = to;
  }

  void shift() {
    for (const char* ending : {"", ".gz", ".zst"}) {
      const std::string last = "a.log." + std::to_string(kKept) + ending;
      if (exists(last)) {
        lose(last);
        remove(last);
      }
    }
    for (int i = kKept - 1; i >= 1; --i)
      for (const char* ending : {"", ".gz", ".zst"})
        move("a.log." + std::to_string(i) + ending, "a.log." + std::to_string(i + 1) + ending);
  }

  void rotate() {
    note("rotate");
    if (!exists("a.log")) return;
    shift();
    move("a.log", "a.log.1");
    if (!chance(4)) create();
    if (chance(4)) write_lines("a.log.1");  // its writer was slow to reopen
  }

  // Every line is in the copy: what is written in between is the documented loss, and not played.
  void copytruncate() {
    if (!exists("a.log") || std::filesystem::file_size(path("a.log")) == 0) return;
    note("copytruncate");
    if (one_copy_ && exists("a.log.1")) {
      lose("a.log.1");
      if (source && chance(3)) truncate("a.log.1"), drain();  // the copy takes its time
    } else {
      shift();
    }
    copy("a.log", "a.log.1");
    holders_["a.log.1"] = holders_["a.log"];
    if (std::filesystem::file_size(path("a.log")) < kPrefixBytes)
      in_small_copies_.insert(holders_["a.log"].begin(), holders_["a.log"].end());
    if (source && chance(3)) {
      note("meanwhile drained");
      drain();
    }
    lose("a.log");
    truncate("a.log");
    holders_["a.log"];
    if (chance(2)) write_lines("a.log");
  }

  void empty_or_delete() {
    if (!exists("a.log")) return;
    if (source && chance(2)) settle_all();
    lose("a.log");
    if (chance(2)) {
      note("truncate");
      truncate("a.log");
      holders_["a.log"];
    } else {
      note("delete");
      remove("a.log");
      if (!chance(4)) create();
    }
    if (chance(2)) write_lines("a.log");
  }

  static std::string packed(const std::string& bytes, bool gzip) {
    std::string to;
    if (!gzip) {
      to.resize(ZSTD_compressBound(bytes.size()));
      to.resize(ZSTD_compress(to.data(), to.size(), bytes.data(), bytes.size(), 1));
      return to;
    }
    z_stream z{};
    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    to.resize(deflateBound(&z, bytes.size()));
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z.avail_in = static_cast<uInt>(bytes.size());
    z.next_out = reinterpret_cast<Bytef*>(to.data());
    z.avail_out = static_cast<uInt>(to.size());
    deflate(&z, Z_FINISH);
    to.resize(z.total_out);
    deflateEnd(&z);
    return to;
  }

  void compress() {
    for (int i = 1 + static_cast<int>(random_() % 3); i >= 1; --i) {
      const std::string name = "a.log." + std::to_string(i);
      if (!exists(name)) continue;
      note("compress " + name);
      const bool gzip = chance(2);
      const std::string target = name + (gzip ? ".gz" : ".zst");
      if (exists(target)) return;
      std::ostringstream bytes;
      bytes << std::ifstream(path(name), std::ios::binary).rdbuf();
      const std::string all = packed(bytes.str(), gzip);
      append(target, all.substr(0, all.size() / 2));
      if (source && chance(2)) drain();
      append(target, all.substr(all.size() / 2));
      holders_[target] = holders_[name];
      const bool unfinished = open_line_ >= 0 && open_in_ == name;
      lose(name);
      if (unfinished) open_line_ = -1;
      remove(name);
      return;
    }
  }

  // What happens to the files, with or without the source.
  void change() {
    switch (random_() % (renames_only_ ? 8 : 12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        create();
        write_lines("a.log");
        break;
      case 5:
      case 6: rotate(); break;
      case 7:
        for (int n = static_cast<int>(random_() % 4); n >= 0; --n) {
          write_lines("a.log");
          rotate();
        }
        break;
      case 8: copytruncate(); break;
      case 9:
      case 10: compress(); break;
      case 11:
        if (chance(3)) empty_or_delete();
        break;
    }
  }

  void settle_all() {
    note("settle");
    out.room = SIZE_MAX;
    run(12s);
    commit_all(true);
  }

  void act() {
    out.room = chance(4) ? random_() % 50 : SIZE_MAX;
    switch (random_() % 14) {
      case 0: restart(false); break;
      case 1: restart(true); break;
      case 2:
      case 3:
        note("drain");
        drain();
        break;
      case 4:
        note("run");
        run(3s);
        break;
      case 5: run(200ms); break;
      case 6:
        drain();
        commit_all(true);
        break;
      case 7:
        drain();
        commit_all(chance(2));
        break;
      case 8:
        if (chance(3)) {
          note("wait");
          run(40s);
        }
        break;
      default: change();
    }
  }

  void expect_in_order() const {
    int last = -1;
    for (const Got& got : out.got)
      if (const int n = number(got.body, " end "); n >= 0) {
        EXPECT_GT(n, last) << story_;
        last = n;
      }
  }

  std::mt19937 random_;
  StoreOptions options_;
  std::unique_ptr<Store> real_;
  bool renames_only_ = false;
  bool one_copy_ = false;  // copytruncate overwrites its copy
  int written_ = 0;        // times
  std::string header_, story_;
  std::map<std::string, Lines> holders_;  // by name: the whole lines in it
  Lines ended_, safe_, at_risk_;          // written whole; committed; lost by their last holder
  // Copies of less than 1 KiB are known by their name alone, and that is a rotation's where the log
  // is known. A restart that finds no log, nor a position under its name, may read them again.
  Lines in_small_copies_, ambiguous_;
  int next_ = 0, open_line_ = -1;
  std::string open_in_;
  std::size_t counted_ = 0, told_ = 0;
  std::set<std::string> told_positions_;
};

TEST_P(Soak, EveryLineOnce) {
  for (int step = 0; step < 150 && !HasFatalFailure(); ++step) act();
  if (HasFatalFailure()) return;
  out.room = SIZE_MAX;
  run(70s);
  commit_all(true);
  restart(false);
  run(70s);
  const std::uint64_t lost_bytes = source->health().losses.lost_bytes;

  std::map<int, int> begun, ended;
  for (const Got& got : out.got) {
    if (const int n = number(got.body, "line "); n >= 0) ++begun[n];
    if (const int n = number(got.body, " end "); n >= 0) ++ended[n];
  }
  std::string lost, twice;
  for (int i = 0; i < next_; ++i) {
    if (ended_.contains(i) && ended[i] == 0 && !at_risk_.contains(i))
      lost += " " + std::to_string(i);
    if ((begun[i] > 1 || ended[i] > 1) && !ambiguous_.contains(i)) twice += " " + std::to_string(i);
  }
  EXPECT_EQ(lost, "") << story_;
  EXPECT_EQ(twice, "") << story_;
  if (renames_only_) expect_in_order();
  if (at_risk_.empty()) {
    EXPECT_EQ(lost_bytes, 0u) << story_;
  }
}

std::vector<unsigned> seeds() {
  unsigned first = 1, last = 5;  // of those that rename alone the first
  // Each of these found a fault once.
  std::vector<unsigned> all = {112,  146,  205,  249,  275,  304,  352,  365,  424,
                               429,  451,  464,  557,  612,  708,  755,  1070, 1072,
                               1141, 1646, 1655, 1680, 1983, 2033, 2138, 2693, 3017,
                               3093, 3132, 3296, 3363, 3460, 3479, 3644, 3710, 3955};
  if (const char* given = std::getenv("EDGEHOSE_SOAK_SEEDS")) {
    std::sscanf(given, "%u-%u", &first, &last);
    all.clear();
  }
  for (; first <= last; ++first) all.push_back(first);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Seeds, Soak, ::testing::ValuesIn(seeds()));

}  // namespace
}  // namespace edgehose::testing
