#include "sinks/directory/file_transport.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "tests/sinks/directory/temporary_directory.h"

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

class FileTransportTest : public ::testing::Test {
 protected:
  FileRequest request(const std::string& name, const std::string& text) {
    return {path, name, expected, std::make_unique<TextBody>(text)};
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

TEST_F(FileTransportTest, ABodyThatFailsLeavesNothing) {
  transport.start(RequestId{1},
                  FileRequest{path, "x", "", std::make_unique<TextBody>(pattern(100'000), true)},
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
  transport.start(RequestId{1},
                  FileRequest{path, "x", "", std::make_unique<Watching>(transport, seen)}, nullptr);
  run();
  EXPECT_EQ(seen, "write to " + path + "/x");
  EXPECT_EQ(transport.call().what, "");
}

}  // namespace
}  // namespace edgehose
