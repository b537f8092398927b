#include "agent/commands/service_user.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "agent/base/file.h"
#include "agent/base/grant.h"

namespace edgehose {
namespace {

constexpr std::size_t kEntryBytes = 16384;

User from_entry(const struct passwd& entry) { return {entry.pw_name, entry.pw_uid, entry.pw_gid}; }

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

// False with errno set.
bool join(const std::vector<std::string>& names) {
  const int count = ::getgroups(0, nullptr);
  if (count < 0) return false;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgroups(count, groups.data()) < 0) return false;
  for (const std::string& name : names)
    if (const auto group = find_group(name)) groups.push_back(*group);
  return ::setgroups(groups.size(), groups.data()) == 0;
}

// Of the capabilities that a change of the user left (PR_SET_KEEPCAPS), CAP_DAC_READ_SEARCH alone
// goes on. False with errno set.
bool keep_reading() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  constexpr std::uint32_t kReadSearch = 1U << CAP_DAC_READ_SEARCH;
  data[0] = {kReadSearch, kReadSearch, 0};
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

}  // namespace

bool is_root() { return ::geteuid() == 0; }

std::optional<User> find_user(const std::string& name) {
  std::array<char, kEntryBytes> storage{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  const auto id = number(name);
  const int error = id ? ::getpwuid_r(*id, &entry, storage.data(), storage.size(), &found)
                       : ::getpwnam_r(name.c_str(), &entry, storage.data(), storage.size(), &found);
  if (error != 0 || found == nullptr) return std::nullopt;
  return from_entry(entry);
}

std::optional<gid_t> find_group(const std::string& name) {
  std::array<char, kEntryBytes> storage{};
  struct group entry {};
  struct group* found = nullptr;
  if (const auto id = number(name)) return *id;
  if (::getgrnam_r(name.c_str(), &entry, storage.data(), storage.size(), &found) != 0 ||
      found == nullptr)
    return std::nullopt;
  return entry.gr_gid;
}

std::optional<std::string> group_name(gid_t id) {
  std::array<char, kEntryBytes> storage{};
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrgid_r(id, &entry, storage.data(), storage.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return entry.gr_name;
}

std::optional<User> owner_of(const std::string& path) {
  struct stat info {};
  std::string at = path;
  while (::stat(at.c_str(), &info) != 0) {
    if (errno != ENOENT || at == "/" || at == ".") return std::nullopt;
    at = parent_directory(at);
  }
  std::array<char, kEntryBytes> storage{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(info.st_uid, &entry, storage.data(), storage.size(), &found) == 0 &&
      found != nullptr)
    return from_entry(entry);
  return User{fmt::format("#{}", info.st_uid), info.st_uid, info.st_gid};
}

std::string checked_user(const ServiceUnit& unit) { return is_root() ? unit.user() : this_user(); }

Status become(const User& user, const std::vector<std::string>& more_groups,
              bool reads_everything) {
  const bool named = !user.name.empty() && user.name[0] != '#';
  const int grouped = named ? ::initgroups(user.name.c_str(), user.gid) : ::setgroups(1, &user.gid);
  if (reads_everything) ::prctl(PR_SET_KEEPCAPS, 1);
  if (grouped != 0 || !join(more_groups) || ::setgid(user.gid) != 0 || ::setuid(user.uid) != 0 ||
      (reads_everything && !keep_reading()))
    return fail_errno(errno, fmt::format("becoming the user {}", user.name));
  return {};
}

// Opening it is the one question that capabilities, ACLs and security modules all answer; of a pipe
// or a device nothing is read, and no terminal becomes ours.
bool may_read(const std::string& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)).valid();
}

std::string existing_ancestor(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0 && path != "/" && path != ".")
    path = parent_directory(path);
  return path;
}

Status make_data_dir(const std::string& data_dir, const std::optional<User>& service) {
  struct stat info {};
  if (!is_root() || !service || ::stat(data_dir.c_str(), &info) == 0) return {};
  EH_TRY(make_directories(data_dir, 0750));
  const bool is_roots = ::stat(data_dir.c_str(), &info) == 0 && info.st_uid == 0;
  if (is_roots && ::chown(data_dir.c_str(), service->uid, service->gid) != 0)
    return fail_errno(errno, fmt::format("giving {} to the user {}", data_dir, service->name));
  return {};
}

Status become_owner_of(const std::string& data_dir) {
  if (!is_root()) return {};
  const auto owner = owner_of(data_dir);
  if (!owner || owner->uid == 0) return {};
  return become(*owner);
}

}  // namespace edgehose
