#include "agent/base/process.h"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace edgehose {
namespace {

constexpr const char* kLink = "/proc/self/exe";

}  // namespace

std::string own_program() {
  if (::access(kLink, X_OK) != 0) return reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  std::string path(4096, '\0');
  const ssize_t length = ::readlink(kLink, path.data(), path.size());
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  struct stat runs {
  }, lies{};
  const bool same = ::stat(kLink, &runs) == 0 && ::stat(path.c_str(), &lies) == 0 &&
                    runs.st_dev == lies.st_dev && runs.st_ino == lies.st_ino;
  return same ? path : kLink;
}

std::vector<char*> argument_list(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace edgehose
