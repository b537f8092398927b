#include "buffer/machine.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>

#include "agent/base/file.h"
#include "buffer/device.h"

namespace edgehose {
namespace {

constexpr MachinePart kHardware[] = {MachinePart::kDeviceTreeSerial, MachinePart::kDmiUuid,
                                     MachinePart::kMacAddress};

bool is_hardware(MachinePart part) {
  return std::ranges::find(kHardware, part) != std::end(kHardware);
}

// systemd writes "uninitialized" at a first boot, until there is an id.
std::string machine_id(const std::string& root) {
  const std::string id = read_small_file(root + "/etc/machine-id");
  return id == "uninitialized" ? std::string() : id;
}

// Tells a directory from its copy beside it: when it was born, and, where that outlives a mount,
// its inode: two directories may be born in one tick of the kernel's clock. Empty: nothing tells.
std::string directory_identity(const std::string& path) {
  struct statx x {};
  struct statfs fs {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_SYNC_AS_STAT, STATX_INO | STATX_BTIME, &x) != 0 ||
      ::statfs(path.c_str(), &fs) != 0)
    return {};
  const bool born = (x.stx_mask & STATX_BTIME) != 0;
  const bool lasting = has_lasting_inodes(static_cast<std::uint32_t>(fs.f_type));
  if (!born && !lasting) return {};
  return fmt::format("{} born {}.{:09}", lasting ? x.stx_ino : 0, born ? x.stx_btime.tv_sec : 0,
                     born ? x.stx_btime.tv_nsec : 0);
}

std::string first_mac(const std::string& root) {
  for (const std::string& nic : list_directory(root + "/sys/class/net")) {
    // Only hardware: bridges, tunnels and containers' ends draw their address anew.
    const std::string directory = root + "/sys/class/net/" + nic;
    if (::access((directory + "/device").c_str(), F_OK) != 0) continue;
    std::string mac = read_small_file(directory + "/address");
    if (!mac.empty() && mac != "00:00:00:00:00:00") return mac;
  }
  return {};
}

}  // namespace

std::string_view name(MachinePart part) {
  switch (part) {
    case MachinePart::kMachineId: return "the machine id";
    case MachinePart::kFilesystem: return "the file system";
    case MachinePart::kDirectory: return "the directory itself";
    case MachinePart::kDeviceTreeSerial: return "the board's serial";
    case MachinePart::kDmiUuid: return "the DMI product UUID";
    case MachinePart::kMacAddress: return "the first network card's address";
  }
  return "something that a later release knows";
}

Result<Machine> look_at_machine(const std::string& data_dir, const std::string& root) {
  EH_ASSIGN(const std::uint64_t filesystem, filesystem_id(data_dir, root));
  Machine machine;
  const auto add = [&machine](MachinePart part, const std::string& text) {
    if (text.empty()) return;  // absent, or not for us to read
    const std::string named = fmt::format("{}={}", static_cast<unsigned>(part), text);
    std::array<std::uint8_t, 32> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(named.data()), named.size(), digest.data());
    std::copy_n(digest.begin(), machine[part].size(), machine[part].begin());
  };
  add(MachinePart::kMachineId, machine_id(root));
  add(MachinePart::kFilesystem, fmt::format("{:016x}", filesystem));
  add(MachinePart::kDirectory, directory_identity(data_dir));
  add(MachinePart::kDeviceTreeSerial, read_small_file(root + "/proc/device-tree/serial-number"));
  add(MachinePart::kDmiUuid, read_small_file(root + "/sys/class/dmi/id/product_uuid"));
  add(MachinePart::kMacAddress, first_mac(root));
  return machine;
}

std::vector<MachinePart> differences(const Machine& before, const Machine& now) {
  std::vector<MachinePart> different;
  const auto both_know = [&](MachinePart part) {
    return before.contains(part) && now.contains(part);
  };
  const auto* const decisive = std::ranges::find_if(kHardware, both_know);
  for (const auto& [part, hash] : now) {
    if (!both_know(part) || before.at(part) == hash) continue;
    if (is_hardware(part) && part != *decisive) continue;
    different.push_back(part);
  }
  return different;
}

}  // namespace edgehose
