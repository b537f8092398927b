#include "buffer/device.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr std::size_t kSmallFile = 4096;
constexpr int kMaxStack = 8;  // a crypt on an lvm on a raid: never deep

// Magics by statfs(2); those not in linux/magic.h are in their file system's sources.
struct Kind {
  std::uint32_t magic;
  const char* name;
  bool remote;
  bool stable_id;  // f_fsid comes from the UUID
};
constexpr Kind kKinds[] = {
    {0xEF53, "ext4", false, true},         {0x58465342, "xfs", false, true},
    {0x9123683E, "btrfs", false, true},    {0xF2F52010, "f2fs", false, true},
    {0x4D44, "vfat", false, false},        {0x2011BAB0, "exfat", false, false},
    {0x01021994, "tmpfs", false, false},   {0x858458F6, "ramfs", false, false},
    {0x794C7630, "overlay", false, false}, {0x73717368, "squashfs", false, false},
    {0x24051905, "ubifs", false, true},    {0x72B6, "jffs2", false, false},
    {0x2FC12FC1, "zfs", false, true},      {0x6969, "nfs", true, false},
    {0xFF534D42, "cifs", true, false},     {0xFE534D42, "smb2", true, false},
    {0x517B, "smb", true, false},          {0x01021997, "9p", true, false},
    {0x00C36400, "ceph", true, false},     {0x5346414F, "afs", true, false},
    {0x65735546, "fuse", true, false},     {0x73757245, "coda", true, false},
    {0x0BD00BD0, "lustre", true, false},   {0x01161970, "gfs2", true, false},
    {0x7461636F, "ocfs2", true, false},    {0x786F4256, "vboxsf", true, false},
};
// File systems that the kernel makes up: no place for files.
constexpr std::uint32_t kPseudo[] = {0x9FA0 /* proc */,
                                     0x62656572 /* sysfs */,
                                     0x27E0EB /* cgroup */,
                                     0x63677270 /* cgroup2 */,
                                     0x64626720 /* debugfs */,
                                     0x74726163 /* tracefs */,
                                     0x73636673 /* security */,
                                     0x62656570 /* configfs */,
                                     0x1CD1 /* devpts */,
                                     0xCAFE4A11 /* bpf */,
                                     0x6165676C /* pstore */,
                                     0xDE5E81E4 /* efivarfs */,
                                     0x19800202 /* mqueue */,
                                     0x958458F6 /* hugetlbfs */,
                                     0xF97CFF8C /* selinux */,
                                     0x6E736673 /* nsfs */,
                                     0x42494E4D /* binfmt_misc */};
constexpr std::uint32_t kTmpfs = 0x01021994, kRamfs = 0x858458F6, kOverlay = 0x794C7630,
                        kFuse = 0x65735546;

const Kind* kind_of(std::uint64_t magic) {
  const auto it = std::ranges::find(kKinds, static_cast<std::uint32_t>(magic), &Kind::magic);
  return it == std::end(kKinds) ? nullptr : it;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string real_path(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return {};
  std::string result(real);
  std::free(real);
  return result;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool flag(const std::string& disk, const char* name) {
  return read_small_file(disk + "/" + name) == "1";
}

// The disk below a partition or a stack of mappings.
std::string whole_disk(std::string device) {
  for (int depth = 0; depth < kMaxStack; ++depth) {
    if (exists(device + "/partition")) {
      device = parent_directory(device);
      continue;
    }
    const std::vector<std::string> below = list_directory(device + "/slaves");
    if (below.empty()) break;
    const std::string next = real_path(device + "/slaves/" + below.front());
    if (next.empty()) break;
    device = next;
  }
  return device;
}

Device judge(const std::string& sys_disk, const std::string& root, int depth);

Device judge_loop(const std::string& sys_disk, const std::string& root, int depth) {
  const std::string file = read_small_file(sys_disk + "/loop/backing_file");
  struct stat st {};
  if (depth < kMaxStack && !file.empty() && ::stat((root + file).c_str(), &st) == 0) {
    const std::string below =
        real_path(fmt::format("{}/sys/dev/block/{}:{}", root, major(st.st_dev), minor(st.st_dev)));
    if (!below.empty()) return judge(whole_disk(below), root, depth + 1);
  }
  return {StorageProfile::kSdCard, base_name(sys_disk),
          base_name(sys_disk) + " is a loop device over an unknown disk"};
}

Device judge(const std::string& sys_disk, const std::string& root, int depth) {
  const std::string disk = base_name(sys_disk);
  const auto card = [&](std::string_view why) {
    return Device{StorageProfile::kSdCard, disk, fmt::format("{} {}", disk, why)};
  };
  const auto ssd = [&](std::string_view why) {
    return Device{StorageProfile::kSsd, disk, fmt::format("{} {}", disk, why)};
  };
  if (disk.starts_with("loop")) return judge_loop(sys_disk, root, depth);
  if (disk.starts_with("mmcblk")) return card("is an SD card or eMMC");
  if (disk.starts_with("nvme")) return ssd("is an NVMe disk");
  if (disk.starts_with("vd") || disk.starts_with("xvd")) return ssd("is a virtual disk");
  if (disk.starts_with("zram")) return ssd("is memory");
  if (flag(sys_disk, "removable")) return card("is removable");
  if (sys_disk.find("/usb") != std::string::npos) {
    // Bridges of real disks announce TRIM; sticks and card readers do not.
    const std::string discard = read_small_file(sys_disk + "/queue/discard_granularity");
    if (!discard.empty() && discard != "0" && !flag(sys_disk, "queue/rotational"))
      return ssd("is a USB disk that supports TRIM");
    return card("is attached by USB");
  }
  if (disk.starts_with("sd") || disk.starts_with("hd"))
    return ssd(flag(sys_disk, "queue/rotational") ? "is a hard disk" : "is an SSD");
  return card("is a device of unknown kind");
}

// Out of /proc/self/mountinfo, for a device number: "type source ", and the options of those types
// where somebody asks for them.
std::string mount_of(dev_t device, const std::string& root) {
  auto content = read_file(root + "/proc/self/mountinfo", 4 << 20);
  if (!content) return {};
  const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string id, parent, number, mount_root, skipped;
    fields >> id >> parent >> number >> mount_root;
    if (number != wanted) continue;
    while (fields >> skipped && skipped != "-") {
    }
    std::string type, source, options;
    fields >> type >> source >> options;
    const bool asked = type == "overlay" || type == "ext4";
    return fmt::format("{} {} {}", type, source, asked ? options : "");
  }
  return {};
}

std::array<std::uint8_t, 32> sha256(std::string_view s) {
  std::array<std::uint8_t, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(s.data()), s.size(), digest.data());
  return digest;
}

std::uint64_t id_from(const struct statfs& fs, dev_t device, const std::string& root) {
  std::uint64_t id = 0;
  static_assert(sizeof fs.f_fsid == sizeof id);
  const Kind* kind = kind_of(static_cast<std::uint32_t>(fs.f_type));
  std::memcpy(&id, &fs.f_fsid, sizeof id);
  if (kind != nullptr && kind->stable_id && id != 0) return id;
  const std::string text = fmt::format(
      "{} {}", filesystem_name(static_cast<std::uint32_t>(fs.f_type)), mount_of(device, root));
  const auto digest = sha256(text);
  std::memcpy(&id, digest.data(), sizeof id);
  return id != 0 ? id : 1;
}

// The option's value in "a=b,upperdir=/x/y,c".
std::string mount_option(const std::string& text, const std::string& option) {
  const std::size_t at = text.find(option + "=");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + option.size() + 1;
  return text.substr(begin, text.find_first_of(", ", begin) - begin);
}

bool memory_backed(std::uint32_t magic) { return magic == kTmpfs || magic == kRamfs; }

}  // namespace

std::string read_small_file(const std::string& path) {
  auto content = read_file(path, kSmallFile);
  if (!content) return {};
  while (!content->empty() &&
         (content->back() == '\0' || std::isspace(static_cast<unsigned char>(content->back()))))
    content->pop_back();
  return std::move(*content);
}

std::vector<std::string> list_directory(const std::string& directory) {
  std::vector<std::string> names;
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* e = ::readdir(dir))
      if (e->d_name[0] != '.') names.emplace_back(e->d_name);
    ::closedir(dir);
  }
  std::ranges::sort(names);
  return names;
}

std::string_view name(StorageProfile profile) {
  return profile == StorageProfile::kSdCard ? "sd_card" : "ssd";
}

Device find_device(unsigned major, unsigned minor, const std::string& root) {
  const std::string device = real_path(fmt::format("{}/sys/dev/block/{}:{}", root, major, minor));
  if (device.empty())
    return {StorageProfile::kSdCard, "",
            fmt::format("no disk is known for device {}:{}", major, minor)};
  return judge(whole_disk(device), root, 0);
}

Device find_device(const std::string& path, const std::string& root) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0)
    return {StorageProfile::kSdCard, "", path + " cannot be looked at: " + std::strerror(errno)};
  struct statfs fs {};
  if (::statfs(path.c_str(), &fs) == 0 && memory_backed(static_cast<std::uint32_t>(fs.f_type)))
    return {StorageProfile::kSsd, "", path + " is in memory"};
  const std::string mount = mount_of(st.st_dev, root);
  if (mount.starts_with("overlay ")) {
    const std::string upper = mount_option(mount, "upperdir");
    if (!upper.empty() && ::stat((root + upper).c_str(), &st) == 0)
      return find_device(major(st.st_dev), minor(st.st_dev), root);
  }
  // btrfs gives its files an anonymous device number; the mount's source is the real one.
  if (mount.starts_with("btrfs /dev/")) {
    const std::string source = mount.substr(6, mount.find(' ', 6) - 6);
    struct stat node {};
    if (::stat(source.c_str(), &node) == 0 && S_ISBLK(node.st_mode))
      return find_device(major(node.st_rdev), minor(node.st_rdev), root);
  }
  return find_device(major(st.st_dev), minor(st.st_dev), root);
}

std::optional<std::uint64_t> bytes_written(const Device& device, const std::string& root) {
  if (device.disk.empty()) return std::nullopt;
  std::istringstream fields(read_small_file(root + "/sys/class/block/" + device.disk + "/stat"));
  std::uint64_t value = 0;
  for (int i = 0; i < 7; ++i)
    if (!(fields >> value)) return std::nullopt;
  return value * 512;
}

std::string filesystem_name(std::uint64_t magic) {
  const Kind* kind = kind_of(magic);
  return kind != nullptr ? kind->name : fmt::format("{:#x}", magic);
}

bool has_lasting_inodes(std::uint64_t magic) {
  const Kind* kind = kind_of(magic);
  return memory_backed(static_cast<std::uint32_t>(magic)) || (kind != nullptr && kind->stable_id);
}

bool is_remote(std::uint64_t magic) {
  const Kind* kind = kind_of(magic);
  return kind != nullptr && kind->remote;
}

std::optional<Duration> journal_interval(const std::string& path, const std::string& root) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  const std::string mount = mount_of(st.st_dev, root);
  if (!mount.starts_with("ext4 ")) return {};
  const std::string commit = mount_option(mount, "commit");
  long seconds = 5;  // what ext4 takes, and does not show
  std::from_chars(commit.data(), commit.data() + commit.size(), seconds);
  return std::chrono::seconds(seconds);
}

Status refuse_unfit(const std::string& path) {
  struct statfs fs {};
  if (::statfs(path.c_str(), &fs) != 0)
    return fail_errno(errno, "looking at the file system of " + path);
  const auto magic = static_cast<std::uint32_t>(fs.f_type);
  if (std::ranges::find(kPseudo, magic) != std::end(kPseudo))
    return fail(
        ErrorCode::kUnsupported,
        "{} is made up by the kernel and keeps no files; put agent.data_dir on a local disk", path);
  if (!is_remote(magic)) return {};
  if (magic == kFuse) {
    // Local disks come through FUSE too (ntfs-3g, exfat-fuse): those have a block device.
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0) {
      const std::string mount = mount_of(st.st_dev, "");
      if (mount.starts_with("fuseblk ")) return {};
    }
  }
  return fail(
      ErrorCode::kUnsupported,
      "{} lies on a remote file system ({}), where a power cut or a lost link can damage the "
      "buffer; put agent.data_dir on a local disk",
      path, filesystem_name(magic));
}

Result<bool> is_volatile(const std::string& path) {
  struct statfs fs {};
  struct stat st {};
  if (::statfs(path.c_str(), &fs) != 0 || ::stat(path.c_str(), &st) != 0)
    return fail_errno(errno, "looking at the file system of " + path);
  const auto magic = static_cast<std::uint32_t>(fs.f_type);
  if (memory_backed(magic)) return true;
  if (magic != kOverlay) return false;
  const std::string upper = mount_option(mount_of(st.st_dev, ""), "upperdir");
  return !upper.empty() && ::statfs(upper.c_str(), &fs) == 0 &&
         memory_backed(static_cast<std::uint32_t>(fs.f_type));
}

Result<bool> is_read_only(const std::string& path) {
  struct statvfs fs {};
  if (::statvfs(path.c_str(), &fs) != 0)
    return fail_errno(errno, "looking at the file system of " + path);
  return (fs.f_flag & ST_RDONLY) != 0;
}

Result<DiskSpace> disk_space(const std::string& path) {
  struct statvfs fs {};
  if (::statvfs(path.c_str(), &fs) != 0)
    return fail_errno(errno, "asking for the free space at " + path);
  return DiskSpace{std::uint64_t{fs.f_blocks} * fs.f_frsize,
                   std::uint64_t{fs.f_bavail} * fs.f_frsize};
}

Result<std::uint64_t> allocated_bytes(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return fail_errno(errno, "asking for a file's allocated bytes");
  return static_cast<std::uint64_t>(st.st_blocks) * 512;
}

Result<bool> punch(int fd, std::uint64_t offset, std::uint64_t length) {
  int done = 0;
  do {
    done = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (done != 0 && errno == EINTR);
  if (done == 0) return true;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return false;
  return fail_errno(errno, "giving free pages of the buffer back to the disk");
}

Result<std::uint64_t> filesystem_id(const std::string& path, const std::string& root) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_PATH));
  return filesystem_id(fd.get(), root);
}

Result<std::uint64_t> filesystem_id(int fd, const std::string& root) {
  struct statfs fs {};
  struct stat st {};
  if (::fstatfs(fd, &fs) != 0 || ::fstat(fd, &st) != 0)
    return fail_errno(errno, "asking for a file system's identity");
  return id_from(fs, st.st_dev, root);
}

}  // namespace edgehose
