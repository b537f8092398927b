#include "agent/run/status_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace edgehose {
namespace {

using namespace std::chrono_literals;

class StatusServerTest : public ::testing::Test {
 protected:
  StatusServerTest() {
    char name[] = "/tmp/edgehose-status-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/status.sock";
  }
  ~StatusServerTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<StatusServer> listen() {
    auto server = StatusServer::listen(path_, clock_);
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
  }

  // A client that connects and, until told, reads nothing.
  FileDescriptor connect() {
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  static std::string read_all(int fd) {
    std::string out;
    char chunk[65536];
    for (ssize_t n; (n = ::read(fd, chunk, sizeof chunk)) > 0;)
      out.append(chunk, static_cast<std::size_t>(n));
    return out;
  }

  static bool readable(int fd) {
    pollfd poller{fd, POLLIN, 0};
    return ::poll(&poller, 1, 0) == 1;
  }

  std::string directory_, path_;
  ManualClock clock_;
};

// Longer than any socket buffer, so that a client that does not read is stuck.
std::string long_answer() { return std::string(900'000, 'x'); }

TEST_F(StatusServerTest, AnswersAndCloses) {
  const auto server = listen();
  EXPECT_FALSE(readable(server->fd()));
  const FileDescriptor client = connect();
  EXPECT_TRUE(readable(server->fd()));
  server->serve([] { return std::string("hello"); });
  EXPECT_EQ(read_all(client.get()), "hello");
  EXPECT_EQ(server->clients(), 0u);
  EXPECT_EQ(server->deadline(), kNever);
  EXPECT_FALSE(readable(server->fd()));
}

TEST_F(StatusServerTest, NoClientNoWork) {
  const auto server = listen();
  int made = 0;
  server->serve([&] { return std::to_string(++made); });
  EXPECT_EQ(made, 0);
}

TEST_F(StatusServerTest, ClientsOfOneRoundShareOneAnswer) {
  const auto server = listen();
  const FileDescriptor a = connect(), b = connect();
  int made = 0;
  server->serve([&] { return std::to_string(++made); });
  EXPECT_EQ(read_all(a.get()), "1");
  EXPECT_EQ(read_all(b.get()), "1");
}

TEST_F(StatusServerTest, AStuckClientHoldsNobodyUpAndIsDroppedInTime) {
  const auto server = listen();
  const FileDescriptor stuck = connect();
  server->serve(long_answer);
  ASSERT_EQ(server->clients(), 1u);
  server->serve(long_answer);
  EXPECT_FALSE(readable(server->fd())) << "a stuck client must not keep the loop busy";

  const FileDescriptor prompt = connect();
  server->serve([] { return std::string("now"); });
  EXPECT_EQ(read_all(prompt.get()), "now");

  ASSERT_EQ(server->deadline(), clock_.now() + StatusServer::kClientTime);
  clock_.advance(StatusServer::kClientTime);
  server->serve(long_answer);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(StatusServerTest, ASlowReaderGetsAllOfIt) {
  const auto server = listen();
  const FileDescriptor client = connect();
  server->serve(long_answer);
  ASSERT_EQ(server->clients(), 1u);
  std::string got;
  char chunk[65536];
  for (int round = 0; round < 1000 && server->clients() > 0; ++round) {
    const ssize_t n = ::recv(client.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) got.append(chunk, static_cast<std::size_t>(n));
    server->serve(long_answer);
  }
  got += read_all(client.get());
  EXPECT_EQ(got, long_answer());
}

TEST_F(StatusServerTest, OneTooManyDisplacesTheOldest) {
  const auto server = listen();
  std::vector<FileDescriptor> stuck;
  for (std::size_t i = 0; i < StatusServer::kMaxClients; ++i) {
    stuck.push_back(connect());
    server->serve(long_answer);
  }
  ASSERT_EQ(server->clients(), StatusServer::kMaxClients);
  const FileDescriptor prompt = connect();
  server->serve([] { return std::string("now"); });
  EXPECT_EQ(read_all(prompt.get()), "now");
  EXPECT_EQ(server->clients(), StatusServer::kMaxClients - 1);
  EXPECT_LT(read_all(stuck[0].get()).size(), long_answer().size());
}

TEST_F(StatusServerTest, AClientThatLeftIsForgotten) {
  const auto server = listen();
  { const FileDescriptor gone = connect(); }
  server->serve(long_answer);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(StatusServerTest, AnOversizedAnswerIsReplaced) {
  const auto server = listen();
  const FileDescriptor client = connect();
  server->serve([] { return std::string(StatusServer::kMaxAnswer + 1, 'x'); });
  EXPECT_THAT(read_all(client.get()), ::testing::HasSubstr("error"));
}

TEST_F(StatusServerTest, ReplacesTheSocketOfADeadProcess) {
  {
    const FileDescriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto server = listen();
  const FileDescriptor client = connect();
  server->serve([] { return std::string("new"); });
  EXPECT_EQ(read_all(client.get()), "new");
}

TEST_F(StatusServerTest, LeavesALiveSocketAndOtherFilesAlone) {
  {
    const auto server = listen();
    EXPECT_EQ(StatusServer::listen(path_, clock_).error().code, ErrorCode::kBusy);
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_)) << "a server takes its socket with it";
  std::ofstream(path_) << "precious";
  EXPECT_EQ(StatusServer::listen(path_, clock_).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(StatusServerTest, OnlyOwnerAndGroupMayAsk) {
  const auto server = listen();
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
}

TEST_F(StatusServerTest, TooLongAPathIsToldBeforehand) {
  const auto server = StatusServer::listen("/tmp/" + std::string(200, 'a'), clock_);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, ::testing::HasSubstr("shorter data_dir"));
}

TEST_F(StatusServerTest, AskingWhereNobodyListens) {
  EXPECT_EQ(ask_status(path_).error().code, ErrorCode::kNotFound);
}

TEST_F(StatusServerTest, AskingGetsTheWholeAnswer) {
  const auto server = listen();
  Result<std::string> answer;
  std::thread client([&] { answer = ask_status(path_, 30s); });
  const auto system = make_system_clock();
  for (bool answered = false; !answered;) {
    const int fd = server->fd();
    system->wait({&fd, 1}, system->now() + 10s);
    server->serve([&] {
      answered = true;
      return long_answer();
    });
  }
  while (server->clients() > 0) server->serve(long_answer);
  client.join();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, long_answer());
}

TEST_F(StatusServerTest, AskingOneWhoDoesNotAnswerEnds) {
  const auto server = listen();
  EXPECT_EQ(ask_status(path_, 20ms).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace edgehose
