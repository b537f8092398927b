// FaultServer: tests/support/fault_server.py as a child process, and what a test says to it.
// Threading: one thread. The process is killed with its object.
#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "sinks/http/http_client.h"

namespace edgehose {

class FaultServer {
 public:
  explicit FaultServer(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(),
                     {"python3", EDGEHOSE_SOURCE_DIR "/tests/support/fault_server.py"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int out[2];
    if (::pipe(out) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    const int spawned = ::posix_spawnp(&pid_, "python3", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    if (spawned != 0) throw std::runtime_error("python3 cannot be started");
    std::string line;
    for (char c; ::read(out[0], &c, 1) == 1 && c != '\n';) line.push_back(c);
    ::close(out[0]);
    if (line.empty()) throw std::runtime_error("the fault server ended at once");
    port_ = line;
  }
  ~FaultServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  const std::string& port() const { return port_; }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + port_ + path; }

 private:
  pid_t pid_ = 0;
  std::string port_;
};

// One exchange to its end on the machine's clock; a test that waits longer than 30 s has failed.
inline HttpResponse exchange(HttpClient& client, const Clock& clock, HttpRequest request) {
  client.start(1, std::move(request));
  std::vector<HttpClient::Finished> finished;
  const Instant deadline = clock.now() + std::chrono::seconds(30);
  while (finished.empty()) {
    const Instant next = client.step(finished);
    if (clock.now() >= deadline) throw std::runtime_error("no end of an exchange");
    const int fd = client.descriptor();
    if (finished.empty()) const_cast<Clock&>(clock).wait({&fd, 1}, std::min(next, deadline));
  }
  return std::move(finished.front().response);
}

}  // namespace edgehose
