#include "sinks/directory/filesystem_identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr char kByUuid[] = "/dev/disk/by-uuid";
constexpr std::size_t kRecordBytes = 64 * 1024;

// udev's record of a block device: a service with a /dev of its own (PrivateDevices) sees it too.
std::string uuid_in_record(dev_t device) {
  const auto record =
      read_file(fmt::format("/run/udev/data/b{}:{}", major(device), minor(device)), kRecordBytes);
  return record ? uuid_of_record(*record) : "";
}

std::string uuid_by_name(dev_t device) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(kByUuid), ::closedir);
  if (!directory) return "";
  while (const dirent* entry = ::readdir(directory.get())) {
    struct stat st {};
    if (::fstatat(::dirfd(directory.get()), entry->d_name, &st, 0) == 0 && S_ISBLK(st.st_mode) &&
        st.st_rdev == device)
      return entry->d_name;
  }
  return "";
}

std::string uuid_of_device(dev_t device) {
  const std::string uuid = uuid_by_name(device);
  return uuid.empty() ? uuid_in_record(device) : uuid;
}

bool in_memory(std::uint64_t type) {
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == OVERLAYFS_SUPER_MAGIC;
}

// The value of " name=value " in an identity; empty where it has none.
std::string_view field(std::string_view identity, std::string_view name) {
  const std::size_t at = identity.find(name);
  if (at == std::string_view::npos) return {};
  identity.remove_prefix(at + name.size());
  return identity.substr(0, identity.find(' '));
}

}  // namespace

Result<std::string> filesystem_identity(int fd) {
  struct statfs fs {};
  struct stat st {};
  if (::fstatfs(fd, &fs) != 0 || ::fstat(fd, &st) != 0)
    return fail_errno(errno, "asking which file system it is");
  const auto type = static_cast<std::uint64_t>(static_cast<std::uint32_t>(fs.f_type));
  std::uint64_t fsid = 0;
  static_assert(sizeof fs.f_fsid == sizeof fsid);
  if (!in_memory(type)) std::memcpy(&fsid, &fs.f_fsid, sizeof fsid);
  std::string identity = fmt::format("type={:x} fsid={:016x}", type, fsid);
  if (const std::string uuid = uuid_of_device(st.st_dev); !uuid.empty())
    identity += " uuid=" + uuid;
  return identity;
}

std::string uuid_of_record(std::string_view record) {
  constexpr std::string_view kKey = "\nE:ID_FS_UUID_ENC=";
  const std::size_t at = record.find(kKey);
  if (at == std::string_view::npos) return "";
  record.remove_prefix(at + kKey.size());
  return std::string(record.substr(0, record.find('\n')));
}

bool same_filesystem(std::string_view expected, std::string_view found) {
  if (expected.empty()) return true;
  const std::string_view a = field(expected, "uuid="), b = field(found, "uuid=");
  if (!a.empty() && !b.empty()) return a == b;
  return field(expected, "type=") == field(found, "type=") &&
         field(expected, "fsid=") == field(found, "fsid=");
}

}  // namespace edgehose
