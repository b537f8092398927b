// edgehose-pages DIR: writes the man pages and completions below DIR, which stands for share/.
// A tool of the build: it is not installed.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "agent/pages/pages.h"

namespace {

bool write(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) fmt::print(stderr, "edgehose-pages: {} cannot be written\n", path.string());
  return !out.fail();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: edgehose-pages DIRECTORY\n");
    return EXIT_FAILURE;
  }
  for (const edgehose::Page& page : edgehose::pages())
    if (!write(std::filesystem::path(arguments[1]) / page.path, page.text)) return EXIT_FAILURE;
  return EXIT_SUCCESS;
}
