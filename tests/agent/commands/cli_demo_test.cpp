// edgehose demo, as its user meets it.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/agent/commands/cli_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A process that the test ends.
class Background {
 public:
  explicit Background(pid_t pid) : pid_(pid) {}
  ~Background() {
    send(SIGKILL);
    wait();
  }
  void send(int signal) const {
    if (pid_ > 0) ::kill(pid_, signal);
  }
  // The signal that ended it, 0 where none did.
  int wait() {
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  pid_t pid_;
};

class CliDemoTest : public CliTest {
 protected:
  pid_t start(const std::string& arguments) const {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::signal(SIGINT, SIG_DFL);  // ignored, where the tests run in the background
    const std::string command = "cd " + directory_ + " && " + here() +
                                " exec " EDGEHOSE_BINARY " " + arguments + " >out.txt 2>err.txt";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  std::string here() const { return "TMPDIR=" + directory_; }
  // Demos' directories that are there.
  std::vector<std::string> places() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(directory_))
      if (entry.path().filename().string().starts_with("edgehose-demo."))
        paths.push_back(entry.path().string());
    return paths;
  }
  // The first object of a demo that runs, once it is there.
  std::string first_object() const {
    for (auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(5ms))
      for (const std::string& place : places()) {
        std::error_code error;
        for (fs::recursive_directory_iterator it(place + "/objects", error), last;
             !error && it != last; it.increment(error))
          if (it->path().extension() == ".age" && !it->path().filename().string().starts_with('.'))
            return it->path().string();
      }
    return "";
  }
};

TEST_F(CliDemoTest, EveryLineArrivesExactlyOnce) {
  const Outcome demo = run("demo --lines 5000 --duration 2s", here());
  EXPECT_EQ(demo.code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.err, IsEmpty());
  EXPECT_THAT(demo.out, ContainsRegex("lines logged +5,000\n"));
  EXPECT_THAT(demo.out, ContainsRegex("lines arrived +5,000\n"));
  EXPECT_THAT(demo.out, ContainsRegex("missing +0\n"));
  EXPECT_THAT(demo.out, Not(HasSubstr("the kernel does not tell")));
  EXPECT_THAT(demo.out, HasSubstr("kill -9"));
  EXPECT_THAT(demo.out, HasSubstr("Every line arrived exactly once."));
  EXPECT_THAT(demo.out, HasSubstr("edgehose config example"));
  EXPECT_THAT(places(), IsEmpty()) << "it cleans up";
  std::istringstream lines(demo.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LT(line.size(), 80u) << line;
}

TEST_F(CliDemoTest, WhatIsLostOnTheWayIsSeen) {
  std::string lost;
  std::atomic<bool> over = false;
  // Taken again where it comes again: of what was not yet acknowledged at the kill, the agent
  // rightly writes it anew.
  std::thread thief([&] {
    for (lost = first_object(); !over; std::this_thread::sleep_for(5ms)) fs::remove(lost);
  });
  const Outcome demo = run("demo --lines 5000 --duration 3s", here());
  over = true;
  thief.join();
  ASSERT_FALSE(lost.empty());
  EXPECT_EQ(demo.code, 1) << demo.out;
  EXPECT_THAT(demo.out, ContainsRegex("missing +[1-9]"));
  EXPECT_THAT(demo.out, Not(HasSubstr("exactly once.")));
  EXPECT_THAT(demo.err, HasSubstr("not every line arrived exactly once: this is a defect"));
  EXPECT_EQ(places().size(), 1u) << "kept, to be looked at";
}

TEST_F(CliDemoTest, KeepLeavesAllOfIt) {
  const Outcome demo = run("demo --lines 2000 --duration 2s --keep", here());
  EXPECT_EQ(demo.code, 0) << demo.err;
  ASSERT_EQ(places().size(), 1u);
  const std::string place = places().front();
  EXPECT_THAT(demo.out, HasSubstr("Kept: " + place));
  for (const char* name : {"/log/app.log", "/objects", "/edgehose.toml", "/agent.log"})
    EXPECT_TRUE(fs::exists(place + name)) << name;
  struct stat info {};
  ASSERT_EQ(::stat((place + "/identity.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

// As Ctrl-C does: nothing is left of it, no agent either.
TEST_F(CliDemoTest, ASignalEndsItAndLeavesNothing) {
  Background demo(start("demo --lines 5000 --duration 20s"));
  ASSERT_FALSE(first_object().empty());
  demo.send(SIGINT);
  EXPECT_EQ(demo.wait(), SIGINT) << "it dies of what it was sent";
  EXPECT_THAT(places(), IsEmpty());
}

TEST_F(CliDemoTest, TheAgentDiesWithIt) {
  Background demo(start("demo --lines 5000 --duration 20s"));
  ASSERT_FALSE(first_object().empty());
  demo.send(SIGKILL);
  EXPECT_EQ(demo.wait(), SIGKILL);
  ASSERT_EQ(places().size(), 1u);
  write("c.toml", read(fs::path(places().front()).filename().string() + "/edgehose.toml"));
  EXPECT_EQ(run("run --once --timeout 60s --config c.toml").code, 0) << "nobody holds the buffer";
}

TEST_F(CliDemoTest, AReaderThatLeavesEndsItAndLeavesNothing) {
  const auto began = std::chrono::steady_clock::now();
  const Outcome demo = run("demo --lines 2000 --duration 1m | head -n 1", here());
  EXPECT_THAT(demo.out, HasSubstr("edgehose demo: 2,000 log lines"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(59)) << "logged on";
  EXPECT_THAT(places(), IsEmpty());
}

TEST_F(CliDemoTest, WithoutRoomItSaysWhereElse) {
  const Outcome none = run("demo --lines 2000", "TMPDIR=/nonexistent");
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, HasSubstr("TMPDIR=DIRECTORY says where else"));
  const Outcome deep = run("demo --lines 2000", "TMPDIR=/tmp/" + std::string(100, 'x'));
  EXPECT_EQ(deep.code, 1);
  EXPECT_THAT(deep.err, HasSubstr("too long for the agent's socket"));
}

TEST_F(CliDemoTest, WrongWishesAreUsageErrors) {
  for (const char* wish : {"--lines 1", "--lines 3000000", "--lines 5x", "--lines -5",
                           "--duration 1s", "--duration 5", "--duration 1h"}) {
    const Outcome demo = run(std::string("demo ") + wish, here());
    EXPECT_EQ(demo.code, 2) << wish;
    EXPECT_THAT(demo.err, HasSubstr("edgehose help demo")) << wish;
  }
  EXPECT_THAT(places(), IsEmpty());
}

}  // namespace
}  // namespace edgehose
