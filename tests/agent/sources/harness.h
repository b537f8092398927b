// A temporary directory of logs, a file source over it, and what it handed in. restart() loses
// everything that was not committed, as a crash does.
#pragma once

#include <grp.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/sources/file_source.h"
#include "tests/agent/sources/fake_store.h"

namespace edgehose::testing {

struct Got {
  std::string body;
  FileId file;
  std::uint64_t begin = 0, end = 0;
  bool truncated = false, partial = false;
};

class Collector final : public RecordSink {
 public:
  void append(const NewRecord& r) override {
    got.push_back({std::string(r.body), r.file, r.begin, r.end, r.truncated, r.partial});
    if (room > 0) --room;
  }
  TakenLines append_lines(const NewLines& lines) override {
    TakenLines taken;
    while (room > 0) {
      const std::string_view rest = lines.bytes.substr(taken.bytes);
      const std::size_t lf = rest.find('\n');
      if (lf == std::string_view::npos || lf > lines.longest) break;
      const std::uint64_t begin = lines.begin + taken.bytes;
      got.push_back(
          {std::string(rest.substr(0, lf)), lines.file, begin, begin + lf + 1, false, false});
      taken.bytes += lf + 1;
      ++taken.records;
      if (room != SIZE_MAX) --room;
    }
    return taken;
  }
  bool full() const override { return room == 0; }
  std::vector<Got> got;
  std::size_t room = SIZE_MAX;
};

// Another clock's time. Whoever asks it for the wall clock's is interrupted by what goes on
// meanwhile: a look asks before it walks, and after that for each file that it does not know.
class InterruptingClock final : public Clock {
 public:
  InterruptingClock(Clock& clock, std::function<void()> meanwhile)
      : clock_(clock), meanwhile_(std::move(meanwhile)) {}
  Instant now() const override { return clock_.now(); }
  WallTime wall() const override {
    meanwhile_();
    return clock_.wall();
  }
  void wait(std::span<const int> descriptors, Instant deadline) override {
    clock_.wait(descriptors, deadline);
  }

 private:
  Clock& clock_;
  std::function<void()> meanwhile_;
};

class FileSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/var/tmp/edgehose-sources-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
    config.name = "app";
    config.paths = {dir + "/*.log"};
    environment.boot_id = "boot-1";
  }
  void TearDown() override {
    source.reset();
    std::filesystem::remove_all(dir);
  }

  std::string path(const std::string& name) const { return dir + "/" + name; }
  void append(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::app | std::ios::binary) << text;
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::trunc | std::ios::binary) << text;
  }
  void rename(const std::string& from, const std::string& to) {
    std::filesystem::rename(path(from), path(to));
  }
  void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(path(from), path(to),
                               std::filesystem::copy_options::overwrite_existing);
  }
  void truncate(const std::string& name, std::uint64_t size = 0) {
    std::filesystem::resize_file(path(name), size);
  }
  void remove(const std::string& name) { std::filesystem::remove(path(name)); }
  void shell(const std::string& command) {
    ASSERT_EQ(::system(("cd " + dir + " && " + command).c_str()), 0) << command;
  }
  // Lines "<tag> <n> <filler>", distinct.
  static std::string lines(const std::string& tag, int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) text += tag + " " + std::to_string(i) + " some more words\n";
    return text;
  }

  void start() { start(clock); }
  void start(const Clock& with) {
    auto made = make_file_sources({config}, store, with, environment);
    ASSERT_TRUE(made) << made.error().message;
    source = std::move((*made)[0]);
  }
  DrainResult drain() {
    if (!source) start();
    return source->drain(out);
  }
  // Time passes and the source is served, as intake does.
  void run(Duration time = std::chrono::seconds(30)) {
    const Instant end = clock.now() + time;
    DrainResult result = drain();
    while (clock.now() < end) {
      if (result.more && !out.full()) {
        result = drain();
        continue;
      }
      const Instant next =
          std::min(std::max(result.next, clock.now() + std::chrono::milliseconds(20)), end);
      clock.advance(next - clock.now());
      result = drain();
    }
  }
  void commit(bool succeed = true) {
    ASSERT_TRUE(source->before_commit());
    auto transaction = store.begin();
    ASSERT_TRUE(source->checkpoint(**transaction));
    if (succeed) {
      ASSERT_TRUE((*transaction)->commit());
      committed = out.got.size();
    }
    source->settled(succeed);
  }
  // A crash: what was handed in since the last commit is not known to anybody.
  void crash() {
    source.reset();
    out.got.resize(committed);
  }
  void settle() {
    run();
    commit();
  }

  std::string text() const {
    std::string all;
    for (const Got& g : out.got) all += g.body + "\n";
    return all;
  }
  // Every line of `expected` exactly once, and nothing else.
  void expect_once(const std::string& expected) const {
    std::map<std::string, int> count;
    std::string line;
    for (const char c : expected) {
      if (c != '\n') {
        line += c;
        continue;
      }
      ++count[line];
      line.clear();
    }
    if (!line.empty()) ++count[line];
    for (const Got& g : out.got) --count[g.body];
    for (const auto& [body, n] : count)
      EXPECT_EQ(n, 0) << (n > 0 ? "lost: " : "twice or foreign: ") << body.substr(0, 100);
  }

  // Checks that the body holds for a user who is not root.
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

  std::string dir;
  FileSourceConfig config;
  FileEnvironment environment;
  FakeStore store;
  ManualClock clock;
  Collector out;
  std::unique_ptr<Source> source;
  std::size_t committed = 0;
};

}  // namespace edgehose::testing
