// The binary as its user meets it: run in a directory of the test's own, with a small config.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace edgehose {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;  // standard output
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    char name[] = "/tmp/edgehose-cli-XXXXXX";
    directory_ = ::mkdtemp(name);
    ::chmod(directory_.c_str(), 0755);
  }
  ~CliTest() override { fs::remove_all(directory_); }

  // Runs it with these arguments, as a shell reads them, in the test's directory.
  Outcome run(const std::string& arguments, const std::string& before = "") {
    const std::string command = "cd " + directory_ + " && " + before + " " EDGEHOSE_BINARY " " +
                                arguments + " 2>stderr.txt";
    Outcome outcome;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> chunk{};
    for (std::size_t n; (n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
      outcome.out.append(chunk.data(), n);
    const int status = ::pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.err = read("stderr.txt");
    return outcome;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/" + name, std::ios::binary).rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << text;
  }
  // A config that reads in/*.log and delivers into out/.
  void write_config() {
    fs::create_directories(directory_ + "/in");
    fs::create_directories(directory_ + "/out");
    write("c.toml", "[agent]\nid = \"gw\"\ndata_dir = \"" + directory_ +
                        "/data\"\n[sources.app]\ntype = \"file\"\npaths = [\"" + directory_ +
                        "/in/*.log\"]\n[sinks.archive]\ntype = \"directory\"\npath = \"" +
                        directory_ + "/out\"\n");
  }

  std::string directory_;
};

}  // namespace edgehose
