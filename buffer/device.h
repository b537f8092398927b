// What the buffer lies on: kind of device, kind of file system and its identity, space, bytes
// written. Who this machine is: machine.h.
//
// Everything under /sys, /proc, /etc and /dev is read below a `root`, so that a test brings its
// own.
// Threading: pure functions of the file system; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"

namespace edgehose {

// How commits are paced. Where the device cannot be told, kSdCard: the gentle one.
enum class StorageProfile { kSdCard, kSsd };
std::string_view name(StorageProfile profile);

struct Device {
  StorageProfile profile = StorageProfile::kSdCard;
  std::string disk;    // the whole disk's kernel name, "mmcblk0"; empty where there is none
  std::string reason;  // for people: "mmcblk0 is an SD card or eMMC"
};

// The block device behind `path`, partitions and device-mapper stacks followed to their disk.
Device find_device(const std::string& path, const std::string& root = "");
// The same by device number, for a test and for what is not a path.
Device find_device(unsigned major, unsigned minor, const std::string& root = "");

// Bytes written to that disk since boot, by anybody (field 7 of .../stat, in 512-byte sectors).
std::optional<std::uint64_t> bytes_written(const Device& device, const std::string& root = "");

// How long ext4 gathers changes before it writes its journal, of the file system at `path`; none
// where it is another one.
std::optional<Duration> journal_interval(const std::string& path, const std::string& root = "");

// kUnsupported where the file system at `path` is a remote one, since locks and mmap cannot be
// trusted there, or one that the kernel makes up (/proc).
Status refuse_unfit(const std::string& path);
// Whether nothing can be written at `path`, whatever the permissions.
Result<bool> is_read_only(const std::string& path);
// True where the content does not survive a reboot: tmpfs, ramfs, or an overlay whose upper
// directory lies on one.
Result<bool> is_volatile(const std::string& path);
// The name of a file system by its statfs magic, "ext4"; "0x..." for one that is not known.
std::string filesystem_name(std::uint64_t magic);
bool is_remote(std::uint64_t magic);
// Whether a file keeps its inode number over a mount (FAT and overlays number theirs anew).
bool has_lasting_inodes(std::uint64_t magic);

struct DiskSpace {
  std::uint64_t size = 0;
  std::uint64_t free = 0;  // for this process: without root's reserve
};
Result<DiskSpace> disk_space(const std::string& path);
// What the file takes on the disk, holes not counted.
Result<std::uint64_t> allocated_bytes(int fd);

// Gives [offset, offset + length) back to the file system; the file's size stays and the range
// reads as zeros. False where the file system cannot: nothing happened.
Result<bool> punch(int fd, std::uint64_t offset, std::uint64_t length);

// The same number after a reboot or on another port, unlike st_dev: statfs f_fsid where the file
// system derives it from its UUID (ext, xfs, btrfs, f2fs); elsewhere (fat, tmpfs, overlay, network,
// where f_fsid is the device number or 0) a hash of the mount's type and source (an overlay: its
// directories) out of /proc/self/mountinfo, which two volumes mounted from one device node in turn
// share. Never 0.
Result<std::uint64_t> filesystem_id(const std::string& path, const std::string& root = "");
Result<std::uint64_t> filesystem_id(int fd, const std::string& root = "");

// A small file of /sys, /proc or /etc without the NUL or white space at its end; empty where it is
// not there or not for us to read.
std::string read_small_file(const std::string& path);
// Names in a directory but hidden ones, sorted; none where it cannot be read.
std::vector<std::string> list_directory(const std::string& directory);

}  // namespace edgehose
