// What the tests of objects share: streams over strings, a temporary directory, running a command.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "agent/base/stream.h"

namespace edgehose::test {

// Hands out a string in pieces of at most `piece` bytes.
class StringStream final : public ByteStream {
 public:
  explicit StringStream(std::string bytes, std::size_t piece = 64 * 1024)
      : bytes_(std::move(bytes)), piece_(piece) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    const std::size_t n = std::min({size, piece_, bytes_.size() - used_});
    std::memcpy(out, bytes_.data() + used_, n);
    used_ += n;
    return n;
  }

 private:
  std::string bytes_;
  std::size_t piece_, used_ = 0;
};

inline std::unique_ptr<ByteStream> stream(std::string bytes, std::size_t piece = 64 * 1024) {
  return std::make_unique<StringStream>(std::move(bytes), piece);
}

struct Drained {
  std::string bytes;  // all that came before the end or the error
  std::optional<Error> error;
};

inline Drained drain(ByteStream& in, std::size_t piece = 10'000) {
  Drained all;
  std::string buffer(piece, '\0');
  for (;;) {
    const auto n = in.read(buffer.data(), buffer.size());
    if (!n) {
      all.error = n.error();
      return all;
    }
    if (*n == 0) return all;
    all.bytes.append(buffer, 0, *n);
  }
}

inline std::string random_text(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// Compressible, in lines.
inline std::string log_text(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size)
    text += "2026-11-23T01:24:00Z gateway sensor=" + std::to_string(random() % 100) +
            " value=" + std::to_string(random()) + "\n";
  return text;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_("/tmp/edgehose-test-XXXXXX") {
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_whole(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

// The output of a shell command that must succeed.
inline std::string run(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  std::string all;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) all.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return all;
}

}  // namespace edgehose::test
