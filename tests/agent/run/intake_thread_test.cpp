// The thread around intake as the watchdog sees it. Nothing here depends on how fast it runs: the
// clock is the test's, and the source says when it hangs and when it goes on.
#include "agent/run/intake_thread.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "agent/run/watchdog.h"

namespace edgehose {
namespace {

// Moved by the test alone, read by any thread.
class SteppedClock final : public Clock {
 public:
  Instant now() const override { return Instant(Duration(now_.load())); }
  WallTime wall() const override { return WallTime(1'700'000'000'000'000'000); }
  void wait(std::span<const int> descriptors, Instant deadline) override {
    std::vector<pollfd> fds;
    for (const int fd : descriptors) fds.push_back({fd, POLLIN, 0});
    if (now() < deadline) ::poll(fds.data(), fds.size(), 1);  // a wait may return early
  }
  void advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_{1};
};

// Hangs in its first drain, as on a file system that does not answer.
class HangingSource final : public Source {
 public:
  const std::string& name() const override { return name_; }
  int fd() const override { return -1; }
  DrainResult drain(RecordSink&) override {
    if (!hung_.exchange(true)) {
      hangs.set_value();
      go_on.get_future().wait();
    }
    return {};
  }
  Status before_commit() override { return {}; }
  Status checkpoint(Store::Transaction&) override { return {}; }
  void settled(bool) override {}
  bool caught_up() const override { return true; }
  Duration commit_patience(Duration limit) const override { return limit; }
  SourceHealth health() const override { return {}; }

  std::promise<void> hangs, go_on;

 private:
  const std::string name_ = "app";
  std::atomic<bool> hung_{false};
};

TEST(IntakeThread, ALoopThatIsWedgedStarvesTheWatchdogUntilItGoesOn) {
  char directory[] = "/tmp/edgehose-thread-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  SteppedClock clock;
  StoreOptions options;
  options.directory = directory;
  options.free_disk_percent = 0;
  auto store = Store::open(options, clock);
  ASSERT_TRUE(store) << store.error().message;
  auto owned = std::make_unique<HangingSource>();
  HangingSource& source = *owned;
  std::vector<std::unique_ptr<Source>> sources;
  sources.push_back(std::move(owned));
  Waker waker;
  Intake intake(**store, clock, waker, {}, std::move(sources), {});
  ASSERT_TRUE(intake.start());
  Watchdog watchdog{std::chrono::seconds(30)};
  const auto fed = [&] {
    const Duration silence = intake.heartbeat().silence(clock.now());
    const std::vector<LoopSilence> loops{{"intake", silence, kWedgedIntake}};
    return watchdog.due(clock.now(), loops);
  };
  {
    IntakeThread thread(intake, **store, clock, waker);
    source.hangs.get_future().wait();
    clock.advance(kWedgedIntake - std::chrono::seconds(1));
    EXPECT_TRUE(fed()) << "a slow card may take so long";
    clock.advance(std::chrono::minutes(2));
    EXPECT_FALSE(fed());
    source.go_on.set_value();
    while (!fed()) std::this_thread::yield();
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace edgehose
