// What is told while the buffer is opened, and to whom.
#include "agent/run/opening.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>

#include "agent/base/file.h"

namespace edgehose {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// systemd's end of the socket, by an abstract name.
class OpeningReportTest : public testing::Test {
 protected:
  OpeningReportTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof(sa_family_t);  // the kernel gives a name
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    size = sizeof address;
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::string name(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    notifier_ = Notifier::from_environment();
    ::unsetenv("NOTIFY_SOCKET");
  }
  std::string told() {
    std::array<char, 512> message{};
    const ssize_t n = ::recv(socket_.get(), message.data(), message.size(), 0);
    return n > 0 ? std::string(message.data(), static_cast<std::size_t>(n)) : "";
  }

  ManualClock clock_;
  FileDescriptor socket_;
  Notifier notifier_;
  OpenProgress progress_;
};

TEST_F(OpeningReportTest, FeedsAWatchdogThatBitesAlreadyWhileItGoesOn) {
  OpeningReport report(progress_, notifier_, clock_.now());
  report.feed_watchdog(true);
  progress_.begin("compacting", 1 << 20);
  report.step(clock_.now());
  EXPECT_NE(told(), "");
  EXPECT_EQ(told(), "WATCHDOG=1");
  clock_.advance(OpeningReport::kOpeningSilence);
  report.step(clock_.now());
  EXPECT_EQ(told(), "") << "it stands still";
}

TEST_F(OpeningReportTest, AsksForTimeWithProgressInWords) {
  OpeningReport report(progress_, notifier_, clock_.now());
  progress_.begin("copying what was salvaged", 40 << 20);
  progress_.advance(12 << 20);
  EXPECT_LE(report.step(clock_.now()), clock_.now() + seconds(5));
  EXPECT_EQ(told(),
            "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=copying what was salvaged, 12 MiB of 40 MiB");
  EXPECT_EQ(told(), "") << "once";
  clock_.advance(seconds(5));
  report.step(clock_.now());
  EXPECT_NE(told(), "");
}

TEST_F(OpeningReportTest, OneThatStandsStillGetsNoMoreTime) {
  OpeningReport report(progress_, notifier_, clock_.now());
  report.step(clock_.now());
  EXPECT_NE(told(), "");
  clock_.advance(minutes(5));
  report.step(clock_.now());
  EXPECT_EQ(told(), "");
  progress_.advance(1);
  clock_.advance(seconds(5));
  report.step(clock_.now());
  EXPECT_NE(told(), "");
}

TEST(OpeningTest, GivesItsResultAndWakesWhoWaits) {
  Opening opening([] { return Status(fail(ErrorCode::kIo, "no")); });
  const auto clock = make_system_clock();
  const std::array<int, 1> fds{opening.fd()};
  while (!opening.ended()) clock->wait(fds, clock->now() + minutes(1));
  const Status status = opening.result();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "no");
}

}  // namespace
}  // namespace edgehose
