// A small file system of its own, and somebody else's files on it (root: mounts).
#pragma once

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace edgehose {

inline constexpr const char* kMountExt4 = "mkfs.ext4 -q -m 0 $1 && mount -o loop $1 $2";

class MountedDisk {
 public:
  ~MountedDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  // In `directory`; false where it cannot be mounted here. `how`: a shell command, with the image
  // and the mount point as its arguments.
  bool mount(const std::string& directory, std::uint64_t bytes, const std::string& how) {
    if (::geteuid() != 0) return false;
    path_ = directory + "/disk";
    std::filesystem::create_directory(path_);
    const std::string image = directory + "/image";
    std::ofstream(image).close();
    std::filesystem::resize_file(image, bytes);
    const std::string command =
        "set -- " + image + " " + path_ + "; { " + how + "; } >/dev/null 2>&1";
    mounted_ = std::system(command.c_str()) == 0;
    return mounted_;
  }
  const std::string& path() const { return path_; }
  std::uint64_t free_bytes() const {
    struct statvfs fs {};
    ::statvfs(path_.c_str(), &fs);
    return std::uint64_t{fs.f_bavail} * fs.f_frsize;
  }
  // Somebody else's file, until `free` bytes are left, a page or so more.
  void fill(std::uint64_t free, const std::string& name = "ballast") const {
    for (std::size_t chunk = 256 << 10; chunk >= 4096; chunk /= 8) {
      std::ofstream ballast(path_ + "/" + name, std::ios::binary | std::ios::app);
      const std::string bytes(chunk, 'b');
      while (ballast && free_bytes() >= free + chunk) ballast << bytes << std::flush;
    }
    ::sync();
  }
  void clear(const std::string& name = "ballast") const {
    std::filesystem::remove(path_ + "/" + name);
    ::sync();
  }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace edgehose
