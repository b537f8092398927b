#include "sinks/directory/file_transport.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "tests/sinks/directory/temporary_directory.h"
#include "tests/sinks/given_stream.h"

namespace edgehose {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TextBody final : public ByteStream {
 public:
  explicit TextBody(std::string text, bool fails = false) : text_(std::move(text)), fails_(fails) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    const std::size_t n = std::min(size, text_.size() - at_);
    if (n == 0 && fails_) return fail(ErrorCode::kIo, "the body broke");
    std::copy_n(text_.data() + at_, n, out);
    at_ += n;
    return n;
  }

 private:
  std::string text_;
  bool fails_;
  std::size_t at_ = 0;
};

std::string pattern(std::size_t bytes) {
  std::string text(bytes, 0);
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 2654435761u >> 13);
  return text;
}

template <class Stream, class... Args>
std::shared_ptr<ByteSource> given(Args&&... args) {
  return std::make_shared<GivenStream>(std::make_unique<Stream>(std::forward<Args>(args)...));
}

class FileTransportTest : public ::testing::Test {
 protected:
  FileRequest request(const std::string& name, const std::string& text) {
    return {path, name, expected, given<TextBody>(text)};
  }
  FileResponse run() {
    std::vector<Completion> finished;
    for (int i = 0; i < 10'000 && finished.empty(); ++i) transport.step(Instant{}, finished);
    EXPECT_EQ(finished.size(), 1u);
    return std::get<FileResponse>(std::move(finished.at(0).response));
  }
  FileResponse put(const std::string& name, const std::string& text,
                   std::shared_ptr<const ObjectSummary> summary = nullptr) {
    transport.start(RequestId{1}, request(name, text), std::move(summary));
    return run();
  }

  TemporaryDirectory directory;
  std::string path = directory.path();
  std::string expected;
  FileTransport transport;
};

TEST_F(FileTransportTest, PutsAFileInSubdirectoriesAndLeavesNothingElse) {
  const std::string text = pattern(3'500'000);
  const FileResponse response = put("a/b//c.log", text);
  ASSERT_TRUE(response.status) << response.status.error().message;
  EXPECT_EQ(response.bytes, text.size());
  EXPECT_FALSE(response.filesystem.empty());
  EXPECT_THAT(files_below(path), ElementsAre("a/b/c.log"));
  EXPECT_TRUE(content(path + "/a/b/c.log") == text);
}

TEST_F(FileTransportTest, WorksInSlices) {
  transport.start(RequestId{1}, request("x", pattern(5u << 20)), nullptr);
  std::vector<Completion> finished;
  int steps = 0;
  while (finished.empty() && ++steps < 100) {
    transport.step(Instant{}, finished);
    ASSERT_FALSE(finished.empty() && std::filesystem::exists(path + "/x"));
  }
  EXPECT_GE(steps, 5 + 3);
  EXPECT_EQ(transport.step(Instant{}, finished), kNever);
}

TEST_F(FileTransportTest, SeveralAreUnderWayAtOnce) {
  for (std::uint64_t i = 1; i <= 4; ++i)
    transport.start(RequestId{i}, request("f" + std::to_string(i), pattern(i * 1'500'000)),
                    nullptr);
  std::vector<Completion> finished;
  for (int i = 0; i < 100; ++i) transport.step(Instant{}, finished);
  ASSERT_EQ(finished.size(), 4u);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(finished[i - 1].id, RequestId{i}) << "the smallest first: they take turns";
    EXPECT_TRUE(content(path + "/f" + std::to_string(i)) == pattern(i * 1'500'000));
  }
}

TEST_F(FileTransportTest, ReplacesAnEarlierAttempt) {
  ASSERT_TRUE(put("x", "first").status);
  ASSERT_TRUE(put("x", "second").status);
  EXPECT_EQ(content(path + "/x"), "second");
}

TEST_F(FileTransportTest, AnAttemptThatLacksRecordsLeavesTheOneThatIsThere) {
  ASSERT_TRUE(put("x", "whole").status);
  auto lacking = std::make_shared<ObjectSummary>();
  lacking->missing_records = 1;
  lacking->encoded.records = 5;
  ASSERT_TRUE(put("x", "less", lacking).status);
  EXPECT_EQ(content(path + "/x"), "whole");
  ASSERT_TRUE(put("y", "less", lacking).status);
  EXPECT_EQ(content(path + "/y"), "less");
  EXPECT_THAT(files_below(path), ElementsAre("x", "y"));
}

TEST_F(FileTransportTest, AnObjectWithoutRecordsIsNotMade) {
  auto nothing = std::make_shared<ObjectSummary>();
  nothing->missing_records = 3;
  ASSERT_TRUE(put("x", "", nothing).status);
  EXPECT_THAT(files_below(path), IsEmpty());
}

// As of a claim that was cut when the sink of this name was a bucket's.
TEST_F(FileTransportTest, AnObjectWhoseKeyIsInItsMetadataIsNotMade) {
  auto summary = std::make_shared<ObjectSummary>();
  summary->metadata = {{"x-amz-3", "AAAA"}};
  const FileResponse response = put("a.log.zst", "sealed", summary);
  ASSERT_FALSE(response.status);
  EXPECT_EQ(response.status.error().code, ErrorCode::kInvalid) << "which parks";
  EXPECT_THAT(response.status.error().message, HasSubstr("s3ec"));
  EXPECT_THAT(files_below(path), IsEmpty());
}

TEST_F(FileTransportTest, ABodyThatFailsLeavesNothing) {
  transport.start(RequestId{1}, FileRequest{path, "x", "", given<TextBody>(pattern(100'000), true)},
                  nullptr);
  const FileResponse response = run();
  ASSERT_FALSE(response.status);
  EXPECT_THAT(response.status.error().message, HasSubstr("the body broke"));
  EXPECT_THAT(files_below(path), IsEmpty());
}

TEST_F(FileTransportTest, AbandonLeavesNothing) {
  transport.start(RequestId{1}, request("x", pattern(5u << 20)), nullptr);
  std::vector<Completion> finished;
  transport.step(Instant{}, finished);
  transport.step(Instant{}, finished);
  EXPECT_THAT(files_below(path), ElementsAre(".x.tmp"));
  transport.abandon();
  EXPECT_THAT(files_below(path), IsEmpty());
}

// Two copies of one data_dir repeat the same claim: neither may publish what the other half wrote.
TEST_F(FileTransportTest, AnotherWriterOfTheSameNameIsWaitedFor) {
  FileTransport other;
  other.start(RequestId{1}, request("x", pattern(3u << 20)), nullptr);
  std::vector<Completion> finished;
  other.step(Instant{}, finished);
  other.step(Instant{}, finished);

  const FileResponse refused = put("x", pattern(3u << 20));
  ASSERT_FALSE(refused.status);
  EXPECT_EQ(refused.status.error().code, ErrorCode::kBusy);
  EXPECT_THAT(files_below(path), ElementsAre(".x.tmp")) << "the other's file is left alone";

  while (finished.empty()) other.step(Instant{}, finished);
  EXPECT_TRUE(std::get<FileResponse>(finished.at(0).response).status);
  ASSERT_TRUE(put("x", pattern(3u << 20)).status);
  EXPECT_EQ(content(path + "/x"), pattern(3u << 20));
  EXPECT_THAT(files_below(path), ElementsAre("x"));
}

TEST_F(FileTransportTest, NamesThatLeadOutAreRefused) {
  for (const std::string name : {"../x", "a/../../x", "a/./x", "a/", ""}) {
    const FileResponse response = put(name, "x");
    ASSERT_FALSE(response.status) << name;
    EXPECT_EQ(response.status.error().code, ErrorCode::kInvalid) << name;
  }
  EXPECT_THAT(files_below(path), IsEmpty());
}

TEST_F(FileTransportTest, NamesOf255BytesWork) {
  const std::string name(255, 'n');
  ASSERT_TRUE(put(name, "x").status);
  EXPECT_THAT(files_below(path), ElementsAre(name));
}

// Killed after every number of steps, then tried again by a new process.
TEST_F(FileTransportTest, KilledBetweenAnyTwoStepsTheRetryMakesExactlyOneFile) {
  const std::string text = pattern(2'500'000);
  bool whole = false;
  for (int steps = 0; !whole; ++steps) {
    ASSERT_LT(steps, 50);
    TemporaryDirectory fresh;
    path = fresh.path();
    const pid_t child = ::fork();
    if (child == 0) {
      FileTransport mine;
      mine.start(RequestId{1}, request("d/e/x", text), nullptr);
      std::vector<Completion> finished;
      for (int i = 0; i < steps; ++i) mine.step(Instant{}, finished);
      if (!finished.empty()) ::_exit(7);
      ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    whole = WIFEXITED(status);
    if (std::filesystem::exists(path + "/d/e/x")) {
      EXPECT_TRUE(content(path + "/d/e/x") == text) << "never a torn file";
    }
    ASSERT_TRUE(put("d/e/x", text).status);
    EXPECT_THAT(files_below(path), ElementsAre("d/e/x")) << "after " << steps << " steps";
    EXPECT_TRUE(content(path + "/d/e/x") == text);
  }
}

// What follows is about root and the service's user; only root can play both.
class FileTransportOfTwoUsersTest : public FileTransportTest {
 protected:
  static constexpr uid_t kUser = 65534;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    ASSERT_EQ(::chown(path.c_str(), kUser, kUser), 0);
  }
  // In a child; what goes wrong there is the answer.
  template <class Action>
  std::string as_user(Action action) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
      std::string said = "cannot become the user";
      if (::setgroups(0, nullptr) == 0 && ::setgid(kUser) == 0 && ::setuid(kUser) == 0)
        said = action();
      ::_exit(write_all(ends[1], said, "pipe") ? 0 : 1);
    }
    ::close(ends[1]);
    std::string said(4096, 0);
    const ssize_t n = ::read(ends[0], said.data(), said.size());
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    said.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    return said;
  }
  std::string put_as_user(const std::string& name) {
    return as_user([&] {
      const FileResponse response = put(name, "the user's");
      return response.status ? std::string("ok") : response.status.error().message;
    });
  }
  uid_t owner(const std::string& name) {
    struct stat info {};
    return ::lstat((directory / name).c_str(), &info) == 0 ? info.st_uid : 0;
  }
  void leave_of_root(const std::string& name, mode_t mode) {
    std::ofstream(directory / name) << "root's";
    ASSERT_EQ(::chmod((directory / name).c_str(), mode), 0);
  }
};

TEST_F(FileTransportOfTwoUsersTest, WhatRootWasKilledAtIsTheServicesToReplace) {
  const pid_t child = ::fork();
  if (child == 0) {
    FileTransport mine;
    mine.start(RequestId{1}, request("d/x", pattern(5u << 20)), nullptr);
    std::vector<Completion> finished;
    mine.step(Instant{}, finished);
    mine.step(Instant{}, finished);
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(files_below(path), ElementsAre("d/.x.tmp"));
  EXPECT_EQ(owner("d/.x.tmp"), kUser);
  EXPECT_EQ(put_as_user("d/x"), "ok");
  EXPECT_THAT(files_below(path), ElementsAre("d/x"));
}

TEST_F(FileTransportOfTwoUsersTest, WhatRootFinishedBelongsToTheDirectorysOwner) {
  path = directory / "made";
  ASSERT_TRUE(put("x", "text").status);
  EXPECT_EQ(owner("made"), kUser);
  EXPECT_EQ(owner("made/x"), kUser);
}

TEST_F(FileTransportOfTwoUsersTest, ALeftoverThatCannotBeOpenedIsReplaced) {
  for (const mode_t mode : {0644, 0600}) {
    leave_of_root(".x.tmp", mode);
    EXPECT_EQ(put_as_user("x"), "ok");
    EXPECT_THAT(files_below(path), ElementsAre("x"));
    EXPECT_EQ(content(path + "/x"), "the user's");
  }
}

TEST_F(FileTransportOfTwoUsersTest, WhatAnotherUserIsWritingIsLeftAlone) {
  leave_of_root(".x.tmp", 0644);
  const auto held = open_file(directory / ".x.tmp", O_WRONLY);
  ASSERT_TRUE(held);
  ASSERT_EQ(::flock(held->get(), LOCK_EX), 0);
  EXPECT_THAT(put_as_user("x"), HasSubstr("is being written by another process"));
  EXPECT_EQ(content(path + "/.x.tmp"), "root's");
}

TEST_F(FileTransportOfTwoUsersTest, ALeftoverInTheWayIsNamed) {
  leave_of_root(".x.tmp", 0644);
  ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(path.c_str(), 01777), 0);
  EXPECT_THAT(put_as_user("x"), HasSubstr(path + "/.x.tmp: "));
}

TEST_F(FileTransportOfTwoUsersTest, TheDirectoryThatLacksRightsIsNamed) {
  const auto refusing = [&](const std::string& name) {
    return as_user([&] { return put(name, "x").refusing; });
  };
  EXPECT_EQ(refusing("2026/x"), "");
  ASSERT_EQ(::chown((directory / "2026").c_str(), 0, 0), 0);
  EXPECT_EQ(refusing("2026/x"), path + "/2026");
  EXPECT_EQ(refusing("2026/11/26/x"), path + "/2026");
  ASSERT_EQ(::chmod((directory / "2026").c_str(), 0700), 0);
  EXPECT_EQ(refusing("2026/11/26/x"), path + "/2026");
  path += "/2026/logs";
  EXPECT_EQ(refusing("x"), directory / "2026") << "it cannot be reached";
  ASSERT_EQ(::chmod((directory / "2026").c_str(), 0755), 0);
  EXPECT_EQ(refusing("x"), directory / "2026") << "it cannot be made";
}

TEST_F(FileTransportTest, AFileThatIsNotOursAnyMoreIsNotPublished) {
  transport.start(RequestId{1}, request("x", pattern(100'000)), nullptr);
  std::vector<Completion> finished;
  transport.step(Instant{}, finished);
  std::filesystem::remove(directory / ".x.tmp");
  std::ofstream(directory / ".x.tmp") << "half";
  const FileResponse response = run();
  ASSERT_FALSE(response.status);
  EXPECT_EQ(response.status.error().code, ErrorCode::kBusy);
  EXPECT_THAT(files_below(path), ElementsAre(".x.tmp"));
}

// Killed at arbitrary moments inside the steps.
TEST_F(FileTransportTest, KilledAtAnyMomentTheRetryMakesExactlyOneFile) {
  const std::string text = pattern(1'500'000);
  unsigned killed = 0;
  for (unsigned round = 0; round < 40; ++round) {
    TemporaryDirectory fresh;
    path = fresh.path();
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        FileTransport mine;
        mine.start(RequestId{1}, request("d/x", text), nullptr);
        std::vector<Completion> finished;
        while (finished.empty()) mine.step(Instant{}, finished);
      }
    }
    ::usleep(round * 150);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    killed += WIFSIGNALED(status) ? 1 : 0;
    if (std::filesystem::exists(path + "/d/x")) {
      EXPECT_TRUE(content(path + "/d/x") == text) << "never a torn file";
    }
    ASSERT_TRUE(put("d/x", text).status);
    EXPECT_THAT(files_below(path), ElementsAre("d/x"));
    EXPECT_TRUE(content(path + "/d/x") == text);
  }
  EXPECT_EQ(killed, 40u);
}

TEST_F(FileTransportTest, AFullDiskIsToldLeavesNothingAndRecovers) {
  TmpfsMount mount(path, "size=256k");
  if (!mount.mounted()) GTEST_SKIP() << "this process may not mount";
  const FileResponse response = put("x", pattern(1'000'000));
  ASSERT_FALSE(response.status);
  EXPECT_EQ(response.status.error().sys, ENOSPC);
  EXPECT_THAT(files_below(path), IsEmpty());
  EXPECT_TRUE(put("x", pattern(100'000)).status);
}

TEST_F(FileTransportTest, AReadOnlyFileSystemIsToldAndRecovers) {
  TmpfsMount mount(path, "size=1m", MS_RDONLY);
  if (!mount.mounted()) GTEST_SKIP() << "this process may not mount";
  FileResponse response = put("a/x", "text");
  ASSERT_FALSE(response.status);
  EXPECT_EQ(response.status.error().sys, EROFS);
  ASSERT_EQ(::mount("tmpfs", path.c_str(), "tmpfs", MS_REMOUNT, "size=1m"), 0);
  EXPECT_TRUE(put("a/x", "text").status);
}

TEST_F(FileTransportTest, AnotherFileSystemAtThePathIsRefusedUntilItIsBack) {
  const FileResponse first = put("x", "text");
  ASSERT_TRUE(first.status);
  expected = first.filesystem;
  TmpfsMount mount(path, "size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "this process may not mount";
  const FileResponse other = put("y", "text");
  ASSERT_FALSE(other.status);
  EXPECT_TRUE(other.other_filesystem);
  EXPECT_THAT(other.status.error().message, HasSubstr("another file system"));
  EXPECT_THAT(files_below(path), IsEmpty());
  mount.unmount();
  EXPECT_TRUE(put("y", "text").status);
}

TEST_F(FileTransportTest, AMediumThatIsGoneIsMissingAndNothingIsCreatedInItsPlace) {
  path = directory / "stick";
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  TmpfsMount mount(path, "size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "this process may not mount";
  path = directory / "stick/logs";
  const FileResponse first = put("x", "text");
  ASSERT_TRUE(first.status);
  expected = first.filesystem;
  mount.unmount();
  const FileResponse response = put("x", "text");
  ASSERT_FALSE(response.status);
  EXPECT_TRUE(response.missing);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(FileTransportTest, ADirectoryThatDisappearsComesBack) {
  path = directory / "logs";
  const FileResponse first = put("a/x", "text");
  ASSERT_TRUE(first.status) << first.status.error().message;
  expected = first.filesystem;
  std::filesystem::remove_all(path);
  ASSERT_TRUE(put("a/y", "text").status);
  EXPECT_THAT(files_below(path), ElementsAre("a/y"));
}

TEST_F(FileTransportTest, NothingIsCreatedWhereMediaAreMounted) {
  for (const std::string place : {"/mnt", "/media", "/run/media"}) {
    path = place + "/edgehose-test-that-is-not-there/logs";
    const FileResponse response = put("x", "text");
    ASSERT_FALSE(response.status);
    EXPECT_TRUE(response.missing);
    EXPECT_FALSE(std::filesystem::exists(place + "/edgehose-test-that-is-not-there"));
  }
  path = directory / "no/parent";
  EXPECT_TRUE(put("x", "text").missing);
}

TEST_F(FileTransportTest, ADirectoryInTheWayOfTheNameIsAnError) {
  ASSERT_EQ(::mkdir((directory / "x").c_str(), 0755), 0);
  const FileResponse response = put("x", "text");
  ASSERT_FALSE(response.status);
  EXPECT_THAT(files_below(path), IsEmpty());
}

TEST_F(FileTransportTest, ANameThatIsNeverTakenIsToldAndOthersAreNot) {
  const std::string component(256, 'x');
  for (const std::string& name : {component + "/x", component, std::string("a/../x")}) {
    const FileResponse response = put(name, "text");
    ASSERT_FALSE(response.status);
    EXPECT_TRUE(response.name_refused) << name.substr(0, 10);
    EXPECT_FALSE(response.renamed);
  }
  ASSERT_EQ(::mkdir((directory / "x").c_str(), 0755), 0);
  EXPECT_FALSE(put("x", "text").name_refused) << "something is in its place";
  path = directory / "no/parent";
  EXPECT_FALSE(put("a:b/x", "text").name_refused) << "the place is missing";
}

TEST_F(FileTransportTest, ALongNameThatIsTakenHasATemporaryOneThatIsToo) {
  for (const std::size_t size : {138u, 139u, 143u, 200u, 255u}) {
    const std::string name(size, 'n');
    EXPECT_LE(temporary_name(name).size(), std::max<std::size_t>(size, 143));
    EXPECT_TRUE(put(name, "text").status) << size;
  }
}

// The kernel names the file while it does not answer.
TEST_F(FileTransportTest, TheCallUnderWayIsNamed) {
  EXPECT_EQ(transport.call().what, "");
  std::string seen;
  class Watching final : public ByteStream {
   public:
    Watching(FileTransport& transport, std::string& seen) : transport_(transport), seen_(seen) {}
    Result<std::size_t> read(char*, std::size_t) override {
      seen_ = transport_.call().what;
      return std::size_t{0};
    }

   private:
    FileTransport& transport_;
    std::string& seen_;
  };
  transport.start(RequestId{1}, FileRequest{path, "x", "", given<Watching>(transport, seen)},
                  nullptr);
  run();
  EXPECT_EQ(seen, "write to " + path + "/x");
  EXPECT_EQ(transport.call().what, "");
}

}  // namespace
}  // namespace edgehose
