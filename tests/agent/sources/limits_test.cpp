// Bounds: descriptors, watches, memory, time, and what other users' files allow.
#include <grp.h>
#include <malloc.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "agent/base/crc32c.h"
#include "agent/sources/file_table.h"
#include "tests/agent/sources/harness.h"

#if defined(__SANITIZE_ADDRESS__)
#define EDGEHOSE_MEASURES 0  // a sanitizer's memory and time are not the program's
#else
#define EDGEHOSE_MEASURES 1
#endif

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class Limits : public FileSourceTest {
 protected:
  static double cpu_ms() {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
  }
  static std::size_t heap() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  // Peak resident memory since the last reset; 0: the kernel does not say.
  static std::size_t peak_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) return static_cast<std::size_t>(std::stoul(line.substr(6)));
    return 0;
  }
  static std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  }
  // Bytes this process has asked read() for; 0: the kernel does not say.
  static std::uint64_t bytes_read() {
    std::ifstream io("/proc/self/io");
    std::string word;
    std::uint64_t bytes = 0;
    io >> word >> bytes;
    return word == "rchar:" ? bytes : 0;
  }
  static void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

  // Answers whether the body held for a user who is not root.
  template <class Body>
  void as_another_user(Body body) {
    ::chmod(dir.c_str(), 0755);
    const pid_t child = ::fork();
    if (child == 0) {
      constexpr unsigned kNobody = 65534;
      if (::geteuid() == 0 &&
          (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0))
        ::_exit(2);
      body();
      std::fflush(nullptr);
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
};

TEST_F(Limits, AnUnreadableFileIsNamedWithTheRemedyAndReadOnceItMayBe) {
  append("a.log", "secret\n");
  append("b.log", "public\n");
  ::chmod(path("a.log").c_str(), 0);
  int go[2], done[2];
  ASSERT_EQ(::pipe(go) | ::pipe(done), 0);
  // The owner opens the door while the child waits.
  const pid_t owner = ::fork();
  if (owner == 0) {
    char c = 0;
    if (::read(go[0], &c, 1) != 1) ::_exit(1);
    ::chmod(path("a.log").c_str(), 0644);
    ::_exit(::write(done[1], "x", 1) == 1 ? 0 : 1);
  }
  as_another_user([&] {
    run(1s);
    EXPECT_EQ(text(), "public\n");
    EXPECT_NE(source->health().problem.find("setfacl -m u:"), std::string::npos)
        << source->health().problem;
    EXPECT_NE(source->health().problem.find("a.log"), std::string::npos);
    EXPECT_TRUE(source->health().unreadable);
    char c = 'x';
    EXPECT_EQ(::write(go[1], &c, 1), 1);
    EXPECT_EQ(::read(done[0], &c, 1), 1);
    run(config.poll_interval + 1s);
    expect_once("public\nsecret\n");
    EXPECT_EQ(source->health().problem, "");
    EXPECT_FALSE(source->health().unreadable);
  });
  int status = 0;
  ::waitpid(owner, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {go[0], go[1], done[0], done[1]}) ::close(fd);
}

TEST_F(Limits, ManyUnreadableFilesAreOneLine) {
  for (int i = 0; i < 300; ++i) {
    const std::string name = "f" + std::to_string(i) + ".log";
    append(name, "secret\n");
    ::chmod(path(name).c_str(), 0);
  }
  as_another_user([&] {
    ::testing::internal::CaptureStderr();
    run(config.poll_interval * 3);
    const std::string log = ::testing::internal::GetCapturedStderr();
    const auto told = log.find("Permission denied");
    EXPECT_NE(told, std::string::npos);
    EXPECT_EQ(told, log.rfind("Permission denied")) << log;
    EXPECT_NE(log.find("(and 299 more)"), std::string::npos) << log;
  });
}

TEST_F(Limits, AnUnreadableDirectoryIsNamed) {
  std::filesystem::create_directory(path("deep"));
  append("deep/a.log", "secret\n");
  ::chmod(path("deep").c_str(), 0);
  config.paths = {dir + "/deep/*.log"};
  as_another_user([&] {
    run(1s);
    EXPECT_NE(source->health().problem.find("setfacl -m u:"), std::string::npos)
        << source->health().problem;
    EXPECT_NE(source->health().problem.find("/deep"), std::string::npos);
  });
  ::chmod(path("deep").c_str(), 0755);
}

TEST_F(Limits, WithoutAnInotifyInstanceRescansWork) {
  std::vector<int> held;
  int one = 0;
  while (held.size() < 900 && (one = ::inotify_init1(IN_CLOEXEC)) >= 0) held.push_back(one);
  const bool exhausted = one < 0;
  if (exhausted) start();
  for (const int fd : held) ::close(fd);
  if (!exhausted) GTEST_SKIP() << "this machine allows more inotify instances than a test takes";
  append("a.log", "one\n");
  run(1s);
  EXPECT_NE(source->health().problem.find("fs.inotify.max_user_instances"), std::string::npos);
  append("a.log", "two\n");
  run(config.poll_interval);
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(Limits, ALineOf50MBTakesBoundedMemory) {
  {
    std::ofstream out_file(path("a.log"), std::ios::binary);
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 50; ++i) out_file << piece;
    out_file << "\nnext\n";
  }
  drain();
  out.got.clear();
  source.reset();
  store.files.clear();
  reset_peak();
  const std::size_t before = peak_kib();
  run(5s);
  ASSERT_EQ(out.got.size(), 2u);
  EXPECT_EQ(out.got[0].body.size(), config.max_record_bytes);
  EXPECT_TRUE(out.got[0].truncated);
  EXPECT_EQ(out.got[0].end, (50u << 20) + 1);
  EXPECT_EQ(out.got[1].body, "next");
  if (EDGEHOSE_MEASURES && before != 0) {
    // The record's copies in the framer and in the collector, a chunk, the allocator's slack.
    EXPECT_LT(peak_kib() - before, 6u << 10);
  }
}

TEST_F(Limits, FormatsThatCannotBeReadAreToldWithWhatWasUnread) {
  append("a.log", lines("a", 0, 50));
  run(1s);
  commit();
  append("a.log", lines("a", 50, 60));
  shell("mv a.log a.log.1 && xz -k a.log.1 && rm a.log.1");
  append("a.log", lines("b", 0, 3));
  ::testing::internal::CaptureStderr();
  source.reset();  // rotated while stopped: the descriptor does not help
  out.got.resize(committed);
  run(10s);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("a.log.1.xz is a rotation that cannot be read (xz is not supported)"),
            std::string::npos)
      << log;
  EXPECT_EQ(log.find("xz is not supported"), log.rfind("xz is not supported")) << "told once";
  expect_once(lines("a", 0, 50) + lines("b", 0, 3));
  const std::uint64_t lost = std::filesystem::file_size(path("a.log.1.xz"));
  EXPECT_EQ(source->health().losses.lost_bytes, lost);
  EXPECT_TRUE(source->health().unreadable);
  EXPECT_NE(source->health().problem.find("decompress it in its place"), std::string::npos);
  remove("a.log.1.xz");
  run(2 * config.poll_interval);
  EXPECT_EQ(source->health().problem, "") << "it is not there to be looked after any more";
  EXPECT_EQ(source->health().losses.lost_bytes, lost);

  shell("mv a.log a.log.2 && bzip2 -k a.log.2 && rm a.log.2");
  append("a.log", lines("c", 0, 3));
  ::testing::internal::CaptureStderr();
  run(10s);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("bzip2 is not supported"),
            std::string::npos);
  expect_once(lines("a", 0, 50) + lines("b", 0, 3) + lines("c", 0, 3));
  EXPECT_EQ(source->health().losses.lost_bytes, lost) << "all of a.log.2 was read";
  EXPECT_EQ(source->health().problem, "");
}

TEST_F(Limits, ARotationThatWasReadBeforeItWasCompressedIsNoLoss) {
  append("a.log", lines("a", 0, 50));
  run(1s);
  commit();
  source.reset();
  shell("mv a.log a.log.1 && xz a.log.1");  // nothing was written meanwhile
  append("a.log", lines("b", 0, 3));
  run(10s);
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
  EXPECT_EQ(source->health().problem, "");
}

TEST_F(Limits, ARotationThatIsCutOffIsCounted) {
  append("a.log", lines("a", 0, 50));
  run(1s);
  commit();
  source.reset();
  append("a.log", lines("a", 50, 20'000));
  shell("mv a.log a.log.1 && gzip a.log.1 && truncate -s 30000 a.log.1.gz");
  append("a.log", lines("b", 0, 3));
  run(10s);
  EXPECT_GT(out.got.size(), 1000u) << "what is in front of the damage is read";
  EXPECT_LT(out.got.size(), 19'000u);
  EXPECT_EQ(source->health().losses.lost_bytes, 30'000u);
  EXPECT_TRUE(source->health().unreadable);
  EXPECT_NE(source->health().problem.find("a.log.1.gz is readable up to byte"), std::string::npos);
}

// A content of 3 GB that must be hashed to be recognised: a step at every drain, and no step is
// long.
class HugeFile : public Limits {
 protected:
  static constexpr std::uint64_t kSize = 3ull << 30;

  static std::uint32_t crc_of_zeros(std::uint64_t size) {
    const std::string zeros(1 << 20, '\0');
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < size; done += zeros.size()) crc = crc32c(crc, zeros);
    return crc;
  }
  // All of it was read, of another inode.
  void know_the_content(const std::string& name) {
    FileState& state = store.files[1'000];
    state.path = path(name);
    state.identity.inode = 1;
    state.identity.birth_ns = 1;
    state.identity.prefix_length = kPrefixBytes;
    state.identity.prefix_hash = prefix_hash(std::string(kPrefixBytes, '\0'));
    state.offset = kSize;
    state.crc = crc_of_zeros(kSize);
    FileNote note;
    note.boot_id = environment.boot_id;
    state.note = encode(note);
  }
  // Drains until `count` records are there; other files are read meanwhile.
  int drains_until(std::size_t count) {
    int drains = 0;
    for (; out.got.size() < count && drains < 5000; ++drains) {
      const DrainResult result = drain();
      if (drains == 0) {
        EXPECT_EQ(text(), "beside\n") << "what is small does not wait";
      }
      if (!result.more && result.next > clock.now()) clock.advance(result.next - clock.now());
    }
    return drains;
  }
};

TEST_F(HugeFile, IsRecognisedInSteps) {
  append("beside.log", "beside\n");
  append("a.log", "");
  truncate("a.log", kSize);
  append("a.log", "after\n");
  know_the_content("a.log");
  const std::uint64_t before = bytes_read();
  std::uint64_t longest = 0;
  for (int i = 0; out.got.size() < 2 && i < 5000; ++i) {
    const std::uint64_t begin = bytes_read();
    const DrainResult result = drain();
    longest = std::max(longest, bytes_read() - begin);
    if (!result.more && result.next > clock.now()) clock.advance(result.next - clock.now());
  }
  expect_once("beside\nafter\n");
  EXPECT_LE(longest, 2 * kHashShare + (256u << 10));
  EXPECT_LT(bytes_read() - before, kSize + (64u << 20)) << "read more than once";
}

// Its size stays, its time does not: whether it was rewritten is asked at a bounded rate.
TEST_F(Limits, AFileThatIsTouchedAllTheTimeIsComparedRarely) {
  const std::string content = lines("a", 0, 3'000'000);  // some 75 MB, so at most each 5 s
  append("a.log", content);
  run(1s);
  commit();
  const std::uint64_t before = bytes_read();
  for (int second = 0; second < 60; ++second) {
    shell("touch a.log");
    run(1s);
  }
  const std::uint64_t read = bytes_read() - before;
  EXPECT_GT(read, content.size()) << "asked at all";
  EXPECT_LT(read, 60 * kDoubtBytesPerSecond);
  EXPECT_EQ(out.got.size(), 3'000'000u);
}

TEST_F(HugeFile, AsACompressedRotationIsReadInSteps) {
  append("beside.log", "beside\n");
  shell(
      "head -c 8M /dev/zero | gzip -1 > part && for i in $(seq 384); do cat part; done > a.log.1.gz && "
      "echo after | gzip >> a.log.1.gz && rm part");
  append("a.log", "");
  know_the_content("a.log");
  EXPECT_GT(drains_until(2), static_cast<int>(2 * kSize / (8 * kHashShare)));
  expect_once("beside\nafter\n");
}

class Forgetting : public Limits {
 protected:
  // a.log was read and is gone, b.log is there.
  void finish_a() {
    append("a.log", lines("a", 0, 50));
    run(1s);
    commit();
    remove("a.log");
    append("b.log", "b\n");
    run(80s);
    commit();
    ASSERT_TRUE(remembers_a());
  }
  bool remembers_a() const {
    return std::any_of(store.files.begin(), store.files.end(),
                       [&](const auto& f) { return f.second.path == path("a.log"); });
  }
  // What is read lets go of old descriptors, and a commit of what is forgotten.
  void live_on() {
    append("b.log", "more\n");
    run(config.poll_interval * 3);
    commit();
  }
};

TEST_F(Forgetting, FinishedContentsAreForgottenAfter30DaysOfService) {
  finish_a();
  clock.advance(24h * 29);
  live_on();
  EXPECT_TRUE(remembers_a()) << "a late copy would still be recognised";
  clock.advance(24h * 2);
  live_on();
  EXPECT_FALSE(remembers_a());
  EXPECT_EQ(store.files.size(), 1u);
}

TEST_F(Forgetting, ServiceIsCountedOverRestarts) {
  finish_a();
  for (int day = 0; day < 30; ++day) {
    drain();
    EXPECT_TRUE(remembers_a()) << "day " << day;
    clock.advance(24h);
    live_on();
    source.reset();
  }
  drain();
  clock.advance(24h);
  live_on();
  EXPECT_FALSE(remembers_a());
}

TEST_F(Forgetting, AWallClockThatJumpsForgetsNothing) {
  const std::int64_t year = std::chrono::nanoseconds(24h * 365).count();
  finish_a();
  for (const std::int64_t jump : {year, -2 * year, year}) {
    clock.set_wall(WallTime(clock.wall().value + jump));
    live_on();
    source.reset();  // and one that had jumped before the start
    live_on();
    EXPECT_TRUE(remembers_a());
  }
}

TEST_F(Forgetting, AtMost100000FinishedContentsAreKept) {
  constexpr std::uint32_t kMore = 300;
  for (std::uint32_t i = 1; i <= kMaxFinished + kMore; ++i) {
    FileState& state = store.files[1'000'000 + i];
    state.path = path("job-" + std::to_string(i) + ".log");
    state.identity.inode = 1'000'000'000ull + i;
    state.identity.prefix_length = 4;
    state.finished = true;
    FileNote note;
    note.last_seen = 1 + (i * 7919ull) % (kMaxFinished + kMore);  // in no order
    state.note = encode(note);
  }
  append("b.log", "b\n");
  run(2s);
  commit();
  EXPECT_EQ(text(), "b\n");
  EXPECT_EQ(store.files.size(), kMaxFinished + 1);
  for (const auto& [id, state] : store.files)
    ASSERT_TRUE(!state.finished || decode_note(state.note).last_seen > kMore) << "the oldest go";
  source.reset();
  run(1s);
  commit();
  EXPECT_EQ(store.files.size(), kMaxFinished + 1);
}

TEST_F(Limits, ADeletedFileIsLetGoAMinuteAfterItsLastByte) {
  append("a.log", lines("a", 0, 50));
  run(1s);
  const auto open = descriptors();
  remove("a.log");
  run(50s);
  EXPECT_EQ(descriptors(), open) << "its writer may still have it";
  run(30s);
  EXPECT_EQ(descriptors(), open - 1);
}

TEST_F(Limits, ARotationThatIsNotReadIsNotHeldOpen) {
  append("a.log", lines("a", 0, 50));
  run(1s);
  commit();
  const auto open = descriptors();
  shell("gzip -c a.log > a.log.1.gz");  // a copy of what was read already
  shell("echo 'no gzip at all' > a.log.2.gz");
  run(1s);
  EXPECT_EQ(descriptors(), open + 2) << "while it is not clear what they are";
  run(30s);
  commit();
  EXPECT_EQ(descriptors(), open);
  expect_once(lines("a", 0, 50));
}

// Made within one tick of the file system's clock.
TEST_F(Limits, CompressedRotationsOfOneAgeAreReadOneAfterTheOther) {
  append("a.log", lines("a", 0, 100));
  run(1s);
  commit();
  source.reset();
  append("a.log", lines("a", 100, 100'000));  // not read in one visit
  write("more", lines("b", 0, 100'000));
  shell("gzip -c a.log >older; gzip -c more >newer; : >a.log");
  const auto bytes = [&](const char* name) { return read_file(path(name), 1 << 20).value(); };
  const auto birth = [&](const char* name) { return StatCache().path(path(name))->birth_ns; };
  const std::string older = bytes("older"), newer = bytes("newer");
  do {
    for (const char* name : {"a.log.2.gz", "a.log.1.gz"}) std::filesystem::remove(path(name));
    write("a.log.2.gz", older);
    write("a.log.1.gz", newer);
  } while (birth("a.log.2.gz") != birth("a.log.1.gz"));
  shell("touch -d @1700000000 a.log.1.gz a.log.2.gz");
  for (int i = 0; i < 1000; ++i) {       // not run(): it would not return
    out.room = i < 100 ? 10 : SIZE_MAX;  // until both are to be read
    drain();
    clock.advance(100ms);
  }
  EXPECT_EQ(out.got.size(), 200'000u);
}

TEST_F(Limits, CompressedRotationsOfTwoFamiliesAreReadOneAfterTheOther) {
  constexpr int kLines = 200'000;
  for (const std::string name : {"a", "b"}) append(name + ".log", lines(name, 0, 100));
  run(1s);
  commit();
  source.reset();
  for (const std::string name : {"a", "b"}) {
    append(name + ".log", lines(name, 100, kLines));
    shell("mv " + name + ".log " + name + ".log.1 && gzip -1 " + name + ".log.1");
    append(name + ".log", name + " next\n");
  }
  const std::uint64_t size = std::filesystem::file_size(path("a.log.1.gz")) +
                             std::filesystem::file_size(path("b.log.1.gz"));
  const std::uint64_t before = bytes_read();
  run(10s);
  EXPECT_EQ(out.got.size(), 2u * (kLines + 1));
  // To tell what they are, to find the position, to read.
  EXPECT_LT(bytes_read() - before, 3 * size);
}

TEST_F(Limits, AFileThatComesBackToAnotherSourceIsNotTheFirstOnesToo) {
  append("b.log", "one\n");
  run(1s);
  commit();
  source.reset();
  std::filesystem::create_directory(path("aside"));
  rename("b.log", "aside/b.log");
  FileSourceConfig first = config;
  first.name = "first";
  first.paths = {dir + "/first*.log"};
  auto made = make_file_sources({first, config}, store, clock, environment);
  ASSERT_TRUE(made) << made.error().message;
  source = std::move((*made)[1]);
  run(80s);
  commit();
  rename("aside/b.log", "b.log");
  append("b.log", "two\n");
  out.room = 0;
  run(15s);
  EXPECT_EQ(source->health().behind_bytes, 4u);
  EXPECT_EQ((*made)[0]->health().behind_bytes, 0u);
}

TEST_F(Limits, TenThousandFiles) {
  constexpr std::size_t kFiles = 10000;
  std::string line(79, 'x');
  line += '\n';
  for (std::size_t i = 0; i < kFiles; ++i) append("file-" + std::to_string(i) + ".log", line);
  const std::size_t before = heap();
  start();
  double cpu = cpu_ms();
  run(2s);
  const double first = cpu_ms() - cpu;
  commit();
  ASSERT_EQ(out.got.size(), kFiles);
  out.got = {};
  run(1s);
  const std::size_t store_bytes = [&] {  // the fake store's copy is not the source's
    const std::size_t with = heap();
    store.files.clear();
    return with - heap();
  }();
  const std::size_t per_file = (heap() - before) / kFiles;
  cpu = cpu_ms();
  run(config.poll_interval);
  const double rescan = cpu_ms() - cpu;
  constexpr int kPolls = 40;
  cpu = cpu_ms();
  run(config.poll_interval * kPolls);
  const double a_second =
      (cpu_ms() - cpu) / (std::chrono::duration<double>(config.poll_interval).count() * kPolls);
  std::printf(
      "10,000 files: %zu bytes a file; first look and read %.0f ms of CPU, a rescan %.1f ms, then "
      "%.3f ms a second\n",
      per_file, first, rescan, a_second);
  RecordProperty("bytes_a_file", static_cast<int>(per_file));
  EXPECT_LT(::mallinfo2().fordblks, 64u << 20);
  EXPECT_GT(store_bytes, 0u);
  if (EDGEHOSE_MEASURES) {
    EXPECT_LT(per_file, 1500u);
    EXPECT_LT(rescan, 1000);
    EXPECT_LT(a_second, 1);
  }
  // What one file gets costs what one file costs.
  append("file-77.log", "late\n");
  run(1s);
  ASSERT_EQ(out.got.size(), 1u);
  EXPECT_EQ(out.got[0].body, "late");
}

TEST_F(Limits, IdleIsCheap) {
  for (int i = 0; i < 10; ++i) append("file-" + std::to_string(i) + ".log", lines("a", 0, 100));
  run(2s);
  commit();
  constexpr int kPolls = 100;
  const double cpu = cpu_ms();
  int drains = 0;
  for (const Instant end = clock.now() + config.poll_interval * kPolls; clock.now() < end;
       ++drains) {
    const Instant next = drain().next;
    ASSERT_GT(next, clock.now()) << "it would spin";
    clock.advance(std::min(next, end) - clock.now());
  }
  const double a_second =
      (cpu_ms() - cpu) / (std::chrono::duration<double>(config.poll_interval).count() * kPolls);
  std::printf("idle with 10 files: %.4f ms of CPU a second\n", a_second);
  EXPECT_LE(drains, kPolls + 3) << "wake-ups";
  if (EDGEHOSE_MEASURES) {
    EXPECT_LT(a_second, 0.5);
  }
}

}  // namespace
}  // namespace edgehose::testing
