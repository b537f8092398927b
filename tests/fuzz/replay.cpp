// Runs a target without an engine, with any compiler:
//   fuzz_NAME [FILE or DIRECTORY]...      the target's own beginnings, each cut short at every
//                                         length and with every byte changed, then these inputs
//   fuzz_NAME --write DIRECTORY           writes the beginnings, as an engine's corpus
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;

void run_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(file), {}};
  fmt::print(stderr, "{}\n", path.string());  // the last one is the one that fails
  edgehose::fuzz::one(input);
}

void run_path(const fs::path& path) {
  if (!fs::is_directory(path)) return run_file(path);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) run_file(entry.path());
}

// A long one at some places only.
void run_with_neighbours(const std::string& seed) {
  constexpr std::size_t kPlaces = 1024;
  const std::size_t step = seed.size() / kPlaces + 1;
  edgehose::fuzz::one(seed);
  for (std::size_t at = 0; at < seed.size(); at += step) {
    edgehose::fuzz::one(std::string_view(seed).substr(0, at));
    for (const char change : {'\x01', '\x20', '\x80'}) {
      std::string other = seed;
      other[at] = static_cast<char>(other[at] ^ change);
      edgehose::fuzz::one(other);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--write") {
    edgehose::fuzz::write_seeds(argv[2]);
    return 0;
  }
  edgehose::fuzz::one("");
  for (const std::string& seed : edgehose::fuzz::seeds()) run_with_neighbours(seed);
  for (int i = 1; i < argc; ++i) run_path(argv[i]);
  return 0;
}
