// A directory of the test's own, and the lines of a demo.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "agent/commands/gateway_line.h"

namespace edgehose {

namespace fs = std::filesystem;

class DemoTest : public ::testing::Test {
 protected:
  DemoTest() {
    char name[] = "/tmp/edgehose-demo-test-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~DemoTest() override { fs::remove_all(directory_); }

  std::string line(std::uint64_t n) const {
    std::string text;
    gateway::append_line(line_, n, text);
    return text + "\n";
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/" + name, std::ios::binary).rdbuf();
    return text.str();
  }

  std::string directory_;
  gateway::LineOptions line_{.run = "T", .bytes = gateway::Bytes::kUtf8};
};

}  // namespace edgehose
