#include "agent/run/control_server.h"

#include "agent/run/control_client.h"

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

class ControlServerTest : public ::testing::Test {
 protected:
  ControlServerTest() {
    char name[] = "/tmp/edgehose-status-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/status.sock";
  }
  ~ControlServerTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<ControlServer> listen() {
    auto server = ControlServer::listen(path_, clock_);
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
  }

  void serve(ControlServer& server, const std::function<std::string()>& status) {
    server.serve({status, [this](ControlTicket ticket, const ControlChange& change) {
                    changes.emplace_back(ticket, change);
                  }});
  }

  // A client that asks for the status and, until told, reads nothing.
  FileDescriptor connect(const std::string& line = "status\n") {
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
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
  std::vector<std::pair<ControlTicket, ControlChange>> changes;  // that the server took on
};

std::string nothing() { return "status"; }

// Longer than any socket buffer, so that a client that does not read is stuck.
std::string long_answer() { return std::string(900'000, 'x'); }

TEST_F(ControlServerTest, AnswersAndCloses) {
  const auto server = listen();
  EXPECT_FALSE(readable(server->fd()));
  const FileDescriptor client = connect();
  EXPECT_TRUE(readable(server->fd()));
  serve(*server, [] { return std::string("hello"); });
  EXPECT_EQ(read_all(client.get()), "hello");
  EXPECT_EQ(server->clients(), 0u);
  EXPECT_EQ(server->deadline(), kNever);
  EXPECT_FALSE(readable(server->fd()));
}

TEST_F(ControlServerTest, AReloadIsAnsweredWithItsVerdict) {
  const auto server = listen();
  const FileDescriptor client = connect("reload\n");
  server->serve(
      {nothing, {}, [] { return Result<ChangeReport>(fail(ErrorCode::kInvalid, "line 3")); }});
  EXPECT_EQ(parse_answer(read_all(client.get())).error().message, "line 3");
  EXPECT_TRUE(changes.empty());
}

TEST_F(ControlServerTest, NoClientNoWork) {
  const auto server = listen();
  int made = 0;
  serve(*server, [&] { return std::to_string(++made); });
  EXPECT_EQ(made, 0);
}

TEST_F(ControlServerTest, ClientsOfOneRoundShareOneAnswer) {
  const auto server = listen();
  const FileDescriptor a = connect(), b = connect();
  int made = 0;
  serve(*server, [&] { return std::to_string(++made); });
  EXPECT_EQ(read_all(a.get()), "1");
  EXPECT_EQ(read_all(b.get()), "1");
}

TEST_F(ControlServerTest, AStuckClientHoldsNobodyUpAndIsDroppedInTime) {
  const auto server = listen();
  const FileDescriptor stuck = connect();
  serve(*server, long_answer);
  ASSERT_EQ(server->clients(), 1u);
  serve(*server, long_answer);
  EXPECT_FALSE(readable(server->fd())) << "a stuck client must not keep the loop busy";

  const FileDescriptor prompt = connect();
  serve(*server, [] { return std::string("now"); });
  EXPECT_EQ(read_all(prompt.get()), "now");

  ASSERT_EQ(server->deadline(), clock_.now() + ControlServer::kClientTime);
  clock_.advance(ControlServer::kClientTime);
  serve(*server, long_answer);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ControlServerTest, ASlowReaderGetsAllOfIt) {
  const auto server = listen();
  const FileDescriptor client = connect();
  serve(*server, long_answer);
  ASSERT_EQ(server->clients(), 1u);
  std::string got;
  char chunk[65536];
  for (int round = 0; round < 1000 && server->clients() > 0; ++round) {
    const ssize_t n = ::recv(client.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) got.append(chunk, static_cast<std::size_t>(n));
    serve(*server, long_answer);
  }
  got += read_all(client.get());
  EXPECT_EQ(got, long_answer());
}

TEST_F(ControlServerTest, OneTooManyDisplacesTheOldest) {
  const auto server = listen();
  std::vector<FileDescriptor> stuck;
  for (std::size_t i = 0; i < ControlServer::kMaxClients; ++i) {
    stuck.push_back(connect());
    serve(*server, long_answer);
  }
  ASSERT_EQ(server->clients(), ControlServer::kMaxClients);
  const FileDescriptor prompt = connect();
  serve(*server, [] { return std::string("now"); });
  EXPECT_EQ(read_all(prompt.get()), "now");
  EXPECT_EQ(server->clients(), ControlServer::kMaxClients - 1);
  EXPECT_LT(read_all(stuck[0].get()).size(), long_answer().size());
}

TEST_F(ControlServerTest, AClientThatLeftIsForgotten) {
  const auto server = listen();
  { const FileDescriptor gone = connect(); }
  serve(*server, long_answer);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ControlServerTest, AnOversizedAnswerIsReplaced) {
  const auto server = listen();
  const FileDescriptor client = connect();
  serve(*server, [] { return std::string(ControlServer::kMaxAnswer + 1, 'x'); });
  EXPECT_THAT(read_all(client.get()), ::testing::HasSubstr("error"));
}

TEST_F(ControlServerTest, ReplacesTheSocketOfADeadProcess) {
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
  serve(*server, [] { return std::string("new"); });
  EXPECT_EQ(read_all(client.get()), "new");
}

TEST_F(ControlServerTest, LeavesALiveSocketAndOtherFilesAlone) {
  {
    const auto server = listen();
    EXPECT_EQ(ControlServer::listen(path_, clock_).error().code, ErrorCode::kBusy);
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_)) << "a server takes its socket with it";
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ControlServer::listen(path_, clock_).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(ControlServerTest, OnlyOwnerAndGroupMayAsk) {
  const auto server = listen();
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
}

TEST_F(ControlServerTest, TooLongAPathIsToldBeforehand) {
  const auto server = ControlServer::listen("/tmp/" + std::string(200, 'a'), clock_);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, ::testing::HasSubstr("shorter data_dir"));
}

TEST_F(ControlServerTest, AskingWhereNobodyListens) {
  EXPECT_EQ(ask_status(path_).error().code, ErrorCode::kNotFound);
}

TEST_F(ControlServerTest, AskingGetsTheWholeAnswer) {
  const auto server = listen();
  Result<std::string> answer;
  std::thread client([&] { answer = ask_status(path_, 30s); });
  const auto system = make_system_clock();
  for (bool answered = false; !answered;) {
    const int fd = server->fd();
    system->wait({&fd, 1}, system->now() + 10s);
    serve(*server, [&] {
      answered = true;
      return long_answer();
    });
  }
  while (server->clients() > 0) serve(*server, long_answer);
  client.join();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, long_answer());
}

TEST_F(ControlServerTest, AskingOneWhoDoesNotAnswerEnds) {
  const auto server = listen();
  EXPECT_EQ(ask_status(path_, 20ms).error().code, ErrorCode::kUnavailable);
}

TEST_F(ControlServerTest, OneWhoIsSilentGetsTheStatus) {
  const auto server = listen();
  const FileDescriptor silent = connect("");
  serve(*server, nothing);
  EXPECT_FALSE(readable(silent.get()));
  ASSERT_EQ(server->deadline(), clock_.now() + ControlServer::kSilence);
  clock_.advance(ControlServer::kSilence);
  serve(*server, nothing);
  EXPECT_EQ(read_all(silent.get()), "status");
}

TEST_F(ControlServerTest, AChangeIsTakenOnAndAnsweredLater) {
  const auto server = listen();
  const FileDescriptor client = connect("confirm archive\n");
  serve(*server, nothing);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(std::get<ConfirmSink>(changes[0].second).sink, "archive");
  serve(*server, nothing);
  EXPECT_EQ(changes.size(), 1u) << "once";
  EXPECT_FALSE(readable(client.get()));
  server->answer(changes[0].first, ChangeReport{"Confirmed.", 0, false});
  const auto report = parse_answer(read_all(client.get()));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->text, "Confirmed.");
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ControlServerTest, AnOutcomeWhoseClientLeftIsDropped) {
  const auto server = listen();
  {
    const FileDescriptor client = connect("confirm archive\n");
    serve(*server, nothing);
  }
  ASSERT_EQ(changes.size(), 1u);
  server->answer(changes[0].first, ChangeReport{"Confirmed.", 0, false});
  server->answer(changes[0].first + 1, ChangeReport{"Confirmed.", 0, false});
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ControlServerTest, ARequestComesInPieces) {
  const auto server = listen();
  const FileDescriptor client = connect("dead-letters re");
  serve(*server, nothing);
  EXPECT_TRUE(changes.empty());
  const std::string rest = "play sink=search 7 8\n";
  ASSERT_EQ(::send(client.get(), rest.data(), rest.size(), 0), static_cast<ssize_t>(rest.size()));
  serve(*server, nothing);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(std::get<ReplayLetters>(changes[0].second).which.ids,
            (std::vector<std::uint64_t>{7, 8}));
}

TEST_F(ControlServerTest, WhatIsNoRequestIsRefused) {
  const auto server = listen();
  const FileDescriptor wrong = connect("delete everything\n");
  const FileDescriptor endless = connect(std::string(kMaxRequest, 'a'));
  serve(*server, nothing);
  EXPECT_THAT(read_all(wrong.get()), ::testing::HasSubstr("confirm SINK"));
  char answer[4096];
  const ssize_t n = ::recv(endless.get(), answer, sizeof answer, 0);
  ASSERT_GT(n, 0);
  EXPECT_EQ(parse_answer({answer, static_cast<std::size_t>(n)}).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(changes.empty());
}

TEST_F(ControlServerTest, WhoWaitsForAChangeIsNotDisplaced) {
  const auto server = listen();
  const FileDescriptor client = connect("confirm archive\n");
  serve(*server, nothing);
  std::vector<FileDescriptor> stuck;
  for (std::size_t i = 0; i < 2 * ControlServer::kMaxClients; ++i) {
    stuck.push_back(connect());
    serve(*server, long_answer);
  }
  server->answer(changes.at(0).first, ChangeReport{"Confirmed.", 0, false});
  EXPECT_TRUE(parse_answer(read_all(client.get())));
}

}  // namespace
}  // namespace edgehose
