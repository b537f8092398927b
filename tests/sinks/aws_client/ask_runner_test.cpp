// Questions carried out for real: files, programs, and a server that misbehaves on command.
#include "sinks/aws_client/ask_runner.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "agent/base/file.h"
#include "tests/sinks/http/tls_server.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class AskRunnerTest : public ::testing::Test {
 protected:
  aws::Answer carry_out(const aws::Ask& ask) {
    runner_->start(ask);
    EXPECT_TRUE(runner_->busy());
    const Instant deadline = clock_->now() + 30s;
    for (;;) {
      Instant next = kNever;
      if (auto answer = runner_->step(next)) {
        EXPECT_FALSE(runner_->busy());
        return std::move(*answer);
      }
      if (clock_->now() > deadline) throw std::runtime_error("no end of a question");
      const int fd = runner_->descriptor();
      clock_->wait({&fd, 1}, std::min(next, deadline));
    }
  }
  aws::CommandAnswer command(const std::string& script, aws::CommandAsk ask = {}) {
    ask.arguments = {"sh", "-c", script};
    return std::get<aws::CommandAnswer>(carry_out(ask));
  }

  void use(const HttpConfig& config) { runner_.emplace(config, *clock_); }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::optional<AskRunner> runner_{std::in_place, HttpConfig{}, *clock_};
};

TEST_F(AskRunnerTest, AProgramGivesItsOutputAndItsCode) {
  const auto answer = command("cat; echo keys; echo secret >&2; exit 3");
  EXPECT_EQ(answer.exit_code, 3);
  EXPECT_EQ(answer.output, "keys\n");
  EXPECT_EQ(answer.problem, "");
  EXPECT_EQ(command("kill -TERM $$").exit_code, 128 + 15);
}

TEST_F(AskRunnerTest, AProgramThatClosedItsOutputIsWaitedFor) {
  const auto answer = command("exec >&-; sleep 0.1; exit 4");
  EXPECT_EQ(answer.exit_code, 4);
}

TEST_F(AskRunnerTest, AProgramThatIsNotThereIsToldAsSuch) {
  const auto answer = std::get<aws::CommandAnswer>(
      carry_out(aws::CommandAsk{.arguments = {"no-such-program-here"}}));
  EXPECT_THAT(answer.problem, HasSubstr("No such file"));
}

TEST_F(AskRunnerTest, AProgramThatTakesTooLongEndsWithItsChildren) {
  char name[] = "/tmp/edgehose-ask-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  const auto answer =
      command("(sleep 300; touch " + directory + "/late) & echo $! >" + directory + "/pid; wait",
              {.arguments = {}, .timeout = 300ms});
  EXPECT_THAT(answer.problem, HasSubstr("no end after"));
  pid_t child = 0;
  std::ifstream(directory + "/pid") >> child;
  ASSERT_GT(child, 0);
  // Killed with its group, which takes the kernel a moment. 300 s would be its own end.
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (process.valid()) {
    pollfd ended{process.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 30'000), 1) << "it goes on";
  } else {
    EXPECT_EQ(errno, ESRCH);
  }
  std::filesystem::remove_all(directory);
}

TEST_F(AskRunnerTest, OutputIsBounded) {
  const auto answer = command("yes", {.arguments = {}, .output_limit = 10000});
  EXPECT_THAT(answer.problem, HasSubstr("prints more than"));
}

TEST_F(AskRunnerTest, AFileIsReadOrSaysWhyNot) {
  char name[] = "/tmp/edgehose-ask-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  std::ofstream(directory + "/token") << "abc";
  EXPECT_EQ(*std::get<aws::FileAnswer>(carry_out(aws::FileAsk{directory + "/token"})), "abc");
  const auto missing = std::get<aws::FileAnswer>(carry_out(aws::FileAsk{directory + "/other"}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  std::filesystem::remove_all(directory);
}

TEST_F(AskRunnerTest, HttpIsAskedAsTheQuestionSays) {
  FaultServer server;
  aws::HttpAsk ask{.method = "PUT", .url = server.url("/latest/api/token"), .body = "b"};
  ask.direct = true;
  const auto put = std::get<aws::HttpAnswer>(carry_out(ask));
  EXPECT_EQ(put.status, 200) << put.problem;
  ask.method = "GET";
  ask.body.clear();
  const auto got = std::get<aws::HttpAnswer>(carry_out(ask));
  EXPECT_EQ(got.body, "b");
}

TEST_F(AskRunnerTest, AServerThatIsSilentIsGivenUpInTime) {
  FaultServer server;
  HttpClient control({}, *clock_);
  exchange(control, *clock_,
           {.method = "POST",
            .url = server.url("/__faults"),
            .body = body_of(R"([{"do": "silent", "path": "/x"}])")});
  aws::HttpAsk ask{.method = "GET", .url = server.url("/x")};
  ask.total_timeout = 300ms;
  const auto answer = std::get<aws::HttpAnswer>(carry_out(ask));
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.problem, HasSubstr("no end after"));
}

TEST_F(AskRunnerTest, AddressesOfTheOwnLinkAreReachedWithoutTheProxy) {
  FaultServer server;
  HttpConfig config;
  config.proxy.url = "http://127.0.0.1:1";  // nobody listens
  use(config);
  aws::HttpAsk ask{.method = "PUT", .url = server.url("/x"), .body = "b"};
  ask.direct = true;
  EXPECT_EQ(std::get<aws::HttpAnswer>(carry_out(ask)).status, 200);
}

// A proxy that looks into TLS, or a private service: the sink's tls.ca_file has its authority.
TEST_F(AskRunnerTest, TheSinksAuthoritiesAreTrustedBesideTheSystems) {
  const TestCertificates certificates, system;
  const TlsServer server(certificates);
  const aws::HttpAsk ask{.method = "GET", .url = server.url("/x")};
  ::setenv("SSL_CERT_FILE", system.file("ca.pem").c_str(), 1);
  const auto strange = std::get<aws::HttpAnswer>(carry_out(ask));
  HttpConfig config;
  config.tls.ca_file = certificates.file("ca.pem");
  use(config);
  const auto private_one = std::get<aws::HttpAnswer>(carry_out(ask));
  config.tls.ca_file = system.file("ca.pem");
  ::setenv("SSL_CERT_FILE", certificates.file("ca.pem").c_str(), 1);
  use(config);
  const auto public_one = std::get<aws::HttpAnswer>(carry_out(ask));
  ::unsetenv("SSL_CERT_FILE");
  EXPECT_EQ(strange.status, 0);
  EXPECT_EQ(private_one.status, 404) << private_one.problem;
  EXPECT_NE(private_one.date, "");
  EXPECT_EQ(public_one.status, 404) << public_one.problem;
}

// Who gives out credentials proves who it is, whatever the sink's service need not.
TEST_F(AskRunnerTest, VerificationIsNotOffHere) {
  const TestCertificates certificates;
  const TlsServer server(certificates);
  HttpConfig config;
  config.tls.verify = false;
  use(config);
  const auto answer =
      std::get<aws::HttpAnswer>(carry_out(aws::HttpAsk{.method = "GET", .url = server.url("/x")}));
  EXPECT_EQ(answer.status, 0);
}

}  // namespace
}  // namespace edgehose
