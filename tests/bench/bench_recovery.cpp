// bench_recovery: how soon a full buffer takes records in and hands them out again.
//
//   bench_recovery DIRECTORY [MIB] [KIB]   MIB: buffer.max_size (4096); KIB: raw size of a block
//   (256)
//
// Fills a buffer in DIRECTORY with lines that hardly compress and ends without a clean stop. Then,
// for each kind of stop and damage: that file again, out of the page cache, opened by a process
// with 64 descriptors. Prints, since that process began: when the first commit was durable
// (intake), when the first 8 MiB were read (batch), when all was claimed, acknowledged and trimmed
// (drained); what was read, and the peak of anonymous memory, the checking child's included. Needs
// three times MIB of disk.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include "agent/base/log.h"
#include "buffer/store.h"

namespace fs = std::filesystem;
using namespace edgehose;

namespace {

constexpr std::uint64_t kBatch = 8 << 20;
constexpr std::uint64_t kPage = 4096;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "bench_recovery: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) give_up(status.error().message);
}

RawBlock noisy_block(SourceId source, std::size_t bytes, std::mt19937_64& random) {
  BlockBuilder builder(source);
  std::string body(1000, '\0');
  for (std::size_t done = 0; done + body.size() < bytes; done += body.size() + 1) {
    for (char& c : body) c = static_cast<char>('!' + random() % 90);
    NewRecord record;
    record.body = body;
    record.time = WallTime(1'700'000'000'000'000'000);
    record.file = FileId(1);
    builder.append(record);
  }
  return builder.take();
}

void fill(const StoreOptions& options, std::size_t block_bytes) {
  const auto clock = make_system_clock();
  auto store = must(Store::open(options, *clock));
  const SourceId source = store->source_id("app");
  auto txn = must(store->begin());
  must(txn->add_lane({store->sink_id("archive"), source}, {BlockNumber(1), 0}));
  std::mt19937_64 random(1);
  std::uint64_t pending = 0;
  for (;;) {
    const auto info = txn->append(noisy_block(source, block_bytes, random));
    if (!info && info.error().code == ErrorCode::kFull) break;
    pending += must(info).body_raw;
    if (pending < 4 << 20) continue;
    must(txn->commit());
    txn.reset();
    txn = must(store->begin());
    pending = 0;
  }
  must(txn->commit());
  txn.reset();
  store->maintain();  // the copies outside
}

struct Report {
  double intake = 0, batch = 0, drained = 0;
  std::uint64_t records = 0, bytes = 0, corrupt = 0, left = 0;
};

// One batch: claimed, read, acknowledged, trimmed. False where nothing is left.
bool deliver(Store& store, const LaneKey& lane, Report& report) {
  Claim claim;
  claim.lane = lane;
  claim.key = "object";
  for (const LaneState& state : must(store.lanes()))
    if (state.key == lane) claim.begin = claim.end = state.cursor;
  Counter unreadable;
  std::uint64_t batch = 0;
  auto block = must(store.next_block(lane.source, claim.begin.block));
  for (; block && batch < kBatch; block = must(store.next_block(lane.source, block->number + 1))) {
    claim.end = {block->number + 1, 0};
    claim.size += {block->records, block->body_raw};
    const auto stored = store.read(block->number);
    if (!stored) {
      unreadable += {block->records, block->body_raw};
      ++report.corrupt;
      continue;
    }
    batch += stored->body_frame.size();
    report.records += block->records;
  }
  if (claim.end == claim.begin) return false;
  report.bytes += batch;
  auto txn = must(store.begin());
  const Claim claimed = must(txn->claim(claim));
  must(txn->acknowledge({.claim = claimed.id, .dead = {}, .unreadable = unreadable}));
  must(txn->trim());
  must(txn->commit());
  return true;
}

Report work(const StoreOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  rlimit few{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &few);
  Report report;
  const auto clock = make_system_clock();
  auto store = must(Store::open(options, *clock));
  {
    auto txn = must(store->begin());
    must(txn->put_file(FileId(1), FileState{}));
    must(txn->commit());
  }
  report.intake = elapsed();
  const LaneKey lane{store->sink_id("archive"), must(store->sources()).front().id};
  deliver(*store, lane, report);
  report.batch = elapsed();
  while (deliver(*store, lane, report)) {
  }
  must(store->close());
  report.drained = elapsed();
  store = must(Store::open_read_only(options, *clock));
  if (must(store->next_block(SourceId(0), BlockNumber(0)))) report.left = 1;
  return report;
}

// "RssAnon" of the process and of its children, in KiB.
std::uint64_t anonymous_kib(pid_t pid) {
  std::uint64_t sum = 0;
  const std::string process = "/proc/" + std::to_string(pid);
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) sum = std::strtoull(line.c_str() + 8, nullptr, 10);
  std::ifstream children(process + "/task/" + std::to_string(pid) + "/children");
  for (pid_t child = 0; children >> child;) sum += anonymous_kib(child);
  return sum;
}

// LMDB holds one environment a process: each opening is a child's.
template <class Work>
std::uint64_t in_child(const Work& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(0);
  }
  std::uint64_t peak = 0;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    peak = std::max(peak, anonymous_kib(child));
    ::usleep(5000);
  }
  if (status != 0) give_up("a child failed");
  return peak;
}

void out_of_page_cache(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::fsync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

void overwrite(const std::string& path, std::uint64_t page) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(page * kPage));
  file << std::string(kPage, '\0');
}

// A page of LMDB whose flags say leaf: page number (one word), pad, flags.
bool is_leaf(std::ifstream& file, std::uint64_t page) {
  std::size_t number = 0;
  std::uint16_t words[2] = {};
  file.seekg(static_cast<std::streamoff>(page * kPage));
  file.read(reinterpret_cast<char*>(&number), sizeof number);
  file.read(reinterpret_cast<char*>(words), sizeof words);
  return number == page && words[1] == 0x02;
}

void zero_a_leaf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::uint64_t pages = fs::file_size(path) / kPage;
  for (std::uint64_t page = pages / 2; page < pages; ++page)
    if (is_leaf(file, page)) return overwrite(path, page);
}

void scenario(const char* name, const std::string& filled, StoreOptions options,
              const std::function<void(const std::string&)>& damage) {
  fs::remove_all(options.directory);
  fs::copy(filled, options.directory);
  // A copied directory is another buffer to it (a new epoch), which costs nothing measurable.
  const std::string file = options.directory + "/buffer.mdb";
  damage(file);
  out_of_page_cache(file);
  const std::uint64_t peak = in_child([&] {
    const Report r = work(options);
    std::printf("| %s | %.2f | %.2f | %.1f | %llu | %.0f | %llu | %s |", name, r.intake, r.batch,
                r.drained, static_cast<unsigned long long>(r.records),
                static_cast<double>(r.bytes) / (1 << 20),
                static_cast<unsigned long long>(r.corrupt), r.left != 0 ? "NO" : "yes");
  });
  std::printf(" %.1f |\n", static_cast<double>(peak) / 1024);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("bench_recovery DIRECTORY [MIB] [KIB]\n", stderr), 2;
  log::set_level(log::Level::kOff);
  StoreOptions options;
  const std::string base = argv[1];
  options.max_size = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 4096) << 20;
  const std::size_t block = (argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 256) << 10;
  const std::string filled = base + "/filled";
  options.directory = filled;
  fs::remove_all(filled);
  in_child([&] { fill(options, std::min<std::size_t>(block, kBlockRawBytes)); });

  options.directory = base + "/run";
  std::puts(
      "| stop, damage | intake s | batch s | drained s | records | MiB | corrupt | empty | MB |");
  std::puts("|---|---|---|---|---|---|---|---|---|");
  const auto nothing = [](const std::string&) {};
  scenario("unclean", filled, options, nothing);
  scenario("20 pages zeroed", filled, options, [](const std::string& file) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 20; ++i) overwrite(file, 2 + random() % (fs::file_size(file) / kPage - 2));
  });
  scenario("a page of a newest block zeroed", filled, options,
           [](const std::string& file) { overwrite(file, fs::file_size(file) / kPage - 30); });
  scenario("cut short by a twentieth", filled, options,
           [](const std::string& file) { fs::resize_file(file, fs::file_size(file) / 20 * 19); });
  scenario("a leaf page zeroed", filled, options, zero_a_leaf);
  scenario("one meta page zeroed", filled, options,
           [](const std::string& file) { overwrite(file, 0); });
  scenario("both meta pages zeroed", filled, options, [](const std::string& file) {
    overwrite(file, 0);
    overwrite(file, 1);
  });
  options.directory = filled;
  in_child([&] {
    const auto clock = make_system_clock();
    must(must(Store::open(options, *clock))->close());
  });
  options.directory = base + "/run";
  scenario("clean", filled, options, nothing);
  fs::remove_all(filled);
  fs::remove_all(options.directory);
}
