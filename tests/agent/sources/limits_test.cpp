// Bounds: watches, memory, time, what is held open.
#include <sys/inotify.h>
#include <unistd.h>

#include <sstream>

#include "agent/sources/file_table.h"
#include "tests/agent/sources/limits_fixture.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

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
  const std::size_t before = heap(), free_before = ::mallinfo2().fordblks;
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
  EXPECT_LT(::mallinfo2().fordblks, free_before + (64u << 20));
  EXPECT_GT(store_bytes, 0u);
  if (EDGEHOSE_MEASURES) EXPECT_LT(per_file, 1500u);
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
