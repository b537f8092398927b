// Descriptors: how sources share them, and that running out of them is no loss.
#include "agent/sources/descriptors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/base/file.h"
#include "agent/sources/discovery.h"
#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::uint64_t taken(const std::vector<std::uint64_t>& shares) {
  std::uint64_t sum = kTableDescriptors;
  for (const std::uint64_t files : shares) sum += descriptors_of_source(files);
  return sum;
}

TEST(ShareDescriptors, WhoAsksForLittleGetsItTheOthersShareTheRest) {
  EXPECT_THAT(share_descriptors({64, 64}, 10'000), ElementsAre(64, 64));
  const auto shares = share_descriptors({4096, 8, 4096}, 1000);
  ASSERT_EQ(shares.size(), 3u);
  EXPECT_EQ(shares[1], 8u);
  EXPECT_EQ(shares[0], shares[2]);
  EXPECT_LE(taken(shares), 1000u);
  EXPECT_GT(taken({shares[0] + 1, shares[1], shares[2] + 1}), 1000u) << "all that fits is given";
}

TEST(ShareDescriptors, OneFileEachIsTheLeast) {
  const std::uint64_t least = taken({1, 1});
  EXPECT_THAT(share_descriptors({64, 64}, least), ElementsAre(1, 1));
  EXPECT_THAT(share_descriptors({64, 64}, least - 1), IsEmpty());
  EXPECT_THAT(share_descriptors({}, 0), IsEmpty());
}

class FewDescriptors : public FileSourceTest {
 protected:
  void SetUp() override {
    FileSourceTest::SetUp();
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
  }
  void TearDown() override {
    ::setrlimit(RLIMIT_NOFILE, &before_);
    FileSourceTest::TearDown();
  }
  // The process gets no more than it has, but `more`.
  void allow(int more) {
    const FileDescriptor free(::dup(0));
    ASSERT_TRUE(free.valid());
    const rlimit few{static_cast<rlim_t>(free.get() + more), before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  void allow_all() { ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  static std::string name(int i) { return "f" + std::to_string(i) + ".log"; }

  rlimit before_{};
};

TEST_F(FewDescriptors, NoneAtAllIsNoLossAndNothingIsGone) {
  std::string all;
  for (int i = 0; i < 60; ++i) {
    append(name(i), lines(name(i), 0, 3));
    all += lines(name(i), 0, 3);
  }
  run(1s);
  commit();
  for (int i = 0; i < 60; ++i) {
    append(name(i), lines(name(i), 3, 6));
    all += lines(name(i), 3, 6);
  }
  allow(0);
  out.room = 0;  // nothing is read meanwhile, so that a file taken for gone would count
  run(config.poll_interval);
  std::vector<FileDescriptor> others;
  for (int look = 0; look < 10; ++look) {  // somebody takes what the source lets go
    for (FileDescriptor one(::dup(0)); one.valid(); one = FileDescriptor(::dup(0)))
      others.push_back(std::move(one));
    run(config.poll_interval);
  }
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
  EXPECT_THAT(source->health().problem, HasSubstr("Too many open files"));
  EXPECT_THAT(source->health().problem, HasSubstr("LimitNOFILE="));
  allow_all();
  others.clear();
  out.room = SIZE_MAX;
  run();
  commit();
  EXPECT_EQ(source->health().losses.lost_bytes, 0u);
  EXPECT_EQ(source->health().problem, "");
  expect_once(all);
}

TEST_F(FewDescriptors, OneThatIsFreeReadsAnyNumberOfFiles) {
  std::string all;
  for (int i = 0; i < 100; ++i) {
    append(name(i), lines(name(i), 0, 3));
    all += lines(name(i), 0, 3);
  }
  start();
  allow(2);  // the table keeps none; far below max_open_files
  run(2 * config.poll_interval);
  commit();
  EXPECT_EQ(source->health().problem, "");
  expect_once(all);
}

TEST_F(FewDescriptors, TheSourcesTogetherKeepToTheirBudget) {
  FileSourceConfig second = config;
  second.name = "second";
  second.paths = {dir + "/g*.log"};
  config.paths = {dir + "/f*.log"};
  environment.open_files = share_descriptors({64, 64}, 40);
  const auto open = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto without = open();
  auto made = make_file_sources({config, second}, store, clock, environment);
  ASSERT_TRUE(made) << made.error().message;
  for (int i = 0; i < 60; ++i) {
    append("f" + name(i), "one\n");
    append("g" + name(i), "one\n");
  }
  for (const auto& one : *made) one->drain(out);
  EXPECT_EQ(out.got.size(), 120u);
  EXPECT_LE(open(), without + 40);
}

TEST_F(FewDescriptors, ADeepTreeIsListedWithOne) {
  std::string deep = dir;
  for (int i = 0; i < 30; ++i) deep += "/d";
  std::filesystem::create_directories(deep);
  std::ofstream(deep + "/a.log") << "deep\n";
  const auto selection = parse_selection({dir + "/**/*.log"}, {});
  ASSERT_TRUE(selection);
  StatCache stats;
  allow(1);
  const Discovery found = discover({*selection}, {}, stats);
  EXPECT_EQ(found.files.size(), 1u) << found.problems[0];
}

// A directory that its user may not list any more, and then again.
TEST_F(FewDescriptors, ADirectoryThatCannotBeListedLosesNothing) {
  const std::string own = path("own");
  std::filesystem::create_directory(own);
  ::chmod(own.c_str(), 0777);
  as_another_user([&] {
    config.paths = {own + "/logs/*.log"};
    std::filesystem::create_directory(own + "/logs");
    append("own/logs/a.log", lines("a", 0, 3));
    run(1s);
    commit();
    append("own/logs/a.log", lines("a", 3, 6));
    ::chmod((own + "/logs").c_str(), 0);
    out.room = 0;
    source.reset();  // so that no descriptor helps
    run(80s);
    EXPECT_THAT(source->health().problem, HasSubstr("cannot be listed (Permission denied)"));
    EXPECT_EQ(source->health().losses.lost_bytes, 0u);
    ::chmod((own + "/logs").c_str(), 0700);
    out.room = SIZE_MAX;
    run();
    expect_once(lines("a", 0, 6));
    EXPECT_EQ(source->health().losses.lost_bytes, 0u);
    std::filesystem::remove_all(own + "/logs");
  });
}

}  // namespace
}  // namespace edgehose::testing
