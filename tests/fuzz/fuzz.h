// What a fuzz target is: one function for one input, which may hold anything, and what is worth
// beginning with. A target finds fault by fuzz::require(), and by the sanitizers.
//
// Threading: one thread. Bounded: an input's work by its size.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace edgehose::fuzz {

// Of the target that is linked.
void one(std::string_view input);
std::vector<std::string> seeds();

// Each seed as a file: an engine's corpus.
inline void write_seeds(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::size_t number = 0;
  for (const std::string& seed : seeds())
    std::ofstream(directory / fmt::format("seed-{}", ++number), std::ios::binary) << seed;
}

// Where it does not hold the process aborts, which an engine takes for a crash.
template <class... Args>
void require(bool holds, fmt::format_string<Args...> text, Args&&... args) {
  if (holds) return;
  fmt::print(stderr, "fuzz: {}\n", fmt::format(text, std::forward<Args>(args)...));
  std::abort();
}

// An input taken apart from its front; where it ends, zeros.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const char c = bytes_.front();
    bytes_.remove_prefix(1);
    return static_cast<std::uint8_t>(c);
  }
  std::string_view rest() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::string_view take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view bytes_;
};

}  // namespace edgehose::fuzz
