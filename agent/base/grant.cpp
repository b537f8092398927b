#include "agent/base/grant.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr std::size_t kEntryBytes = 16 << 10;

}  // namespace

std::string this_user() {
  std::array<char, kEntryBytes> storage{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  const uid_t id = ::geteuid();
  const int error = ::getpwuid_r(id, &entry, storage.data(), storage.size(), &found);
  return error == 0 && found != nullptr ? std::string(found->pw_name) : std::to_string(id);
}

std::string how_to_grant(const std::string& path, bool directory) {
  const std::string user = this_user();
  if (directory)
    return fmt::format("grant it with: setfacl -m u:{0}:rX,d:u:{0}:rX {1} (package acl)", user,
                       path);
  return fmt::format(
      "grant it with: setfacl -m u:{0}:r {1}, and for the files that come after it: "
      "setfacl -d -m u:{0}:rX {2} (package acl)",
      user, path, parent_directory(path));
}

std::string how_to_grant_writing(const std::string& directory, const std::string& user) {
  return fmt::format("grant it with: setfacl -m u:{}:rwx {} (package acl)", user, directory);
}

}  // namespace edgehose
