// What cannot be read: other users' files and directories, formats, damaged rotations.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sources/file_table.h"
#include "tests/agent/sources/limits_fixture.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

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

// As logrotate makes them with another owner: what they are cannot be asked of them.
TEST_F(Limits, FilesThatCameUnreadableAreCountedWithTheirBytesAndToldOnce) {
  append("a.log", "public\n");
  int go[2], done[2];
  ASSERT_EQ(::pipe(go) | ::pipe(done), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    char c = 0;
    if (::read(go[0], &c, 1) != 1) ::_exit(1);
    for (const char* name : {"b.log", "c.log", "d.log"}) {
      append(name, std::string(name) + "!\n");
      ::chmod(path(name).c_str(), 0);
    }
    if (::write(done[1], "x", 1) != 1 || ::read(go[0], &c, 1) != 1) ::_exit(1);
    for (const char* name : {"b.log", "c.log", "d.log"}) ::chmod(path(name).c_str(), 0644);
    ::_exit(::write(done[1], "x", 1) == 1 ? 0 : 1);
  }
  as_another_user([&] {
    const auto let_owner = [&] {
      char c = 'x';
      return ::write(go[1], &c, 1) == 1 && ::read(done[0], &c, 1) == 1;
    };
    run(1s);
    EXPECT_TRUE(let_owner());
    ::testing::internal::CaptureStderr();
    run(config.poll_interval * 3);
    const std::string log = ::testing::internal::GetCapturedStderr();
    const auto told = log.find("Permission denied");
    EXPECT_NE(told, std::string::npos) << log;
    EXPECT_EQ(told, log.rfind("Permission denied")) << log;
    EXPECT_NE(log.find("(and 2 other files)"), std::string::npos) << log;
    EXPECT_EQ(source->health().behind_bytes, 21u);
    EXPECT_NE(source->health().problem.find("setfacl -m u:"), std::string::npos);
    EXPECT_TRUE(source->health().problem.ends_with(" (and 2 other files)"))
        << source->health().problem;
    EXPECT_TRUE(let_owner());
    run(config.poll_interval + 1s);
    expect_once("public\nb.log!\nc.log!\nd.log!\n");
    EXPECT_EQ(source->health().behind_bytes, 0u);
    EXPECT_EQ(source->health().problem, "");
  });
  int status = 0;
  ::waitpid(owner, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {go[0], go[1], done[0], done[1]}) ::close(fd);
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

// Once for each time that it begins, and not hidden behind files that cannot be read.
TEST_F(Limits, AnUnreadableDirectoryIsInTheLogAndBesideUnreadableFiles) {
  for (const char* name : {"a.log", "b.log"}) {
    append(name, "secret\n");
    ::chmod(path(name).c_str(), 0);
  }
  const std::string own = path("own"), deep = own + "/deep";
  std::filesystem::create_directory(own);
  ::chmod(own.c_str(), 0777);
  config.paths = {dir + "/*.log", own + "/*/*.log"};
  as_another_user([&] {
    std::filesystem::create_directory(deep);
    for (int time = 0; time < 2; ++time) {
      ::chmod(deep.c_str(), 0);
      ::testing::internal::CaptureStderr();
      run(2min);
      const std::string log = ::testing::internal::GetCapturedStderr();
      const std::string problem = source->health().problem;
      EXPECT_NE(problem.find("(and 1 other file); "), std::string::npos) << problem;
      EXPECT_NE(problem.find(deep + " cannot be listed"), std::string::npos) << problem;
      const auto told = log.find(deep + " cannot be listed");
      EXPECT_NE(told, std::string::npos) << log;
      EXPECT_EQ(told, log.rfind(deep + " cannot be listed")) << log;
      ::chmod(deep.c_str(), 0700);
      run(config.poll_interval + 1s);
      EXPECT_EQ(source->health().problem.find("cannot be listed"), std::string::npos);
    }
    std::filesystem::remove_all(deep);
  });
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

}  // namespace
}  // namespace edgehose::testing
