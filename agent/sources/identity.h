// Who a file is: its stat, the hash of its start, and what its name says of its rotation.
//
// Threading: values, and one StatCache per thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "agent/base/result.h"
#include "buffer/state.h"

namespace edgehose {

struct FileStat {
  std::uint64_t filesystem = 0;  // see FileIdentity
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0: the file system does not say
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;
  std::uint64_t device = 0;  // this boot's number: only to compare within one look
  std::uint32_t links = 1;
  bool regular = false;
  bool directory = false;
  bool in_memory = false;  // tmpfs or ramfs: gone after a power cut
  bool numbered = true;    // false: it has no id, and `filesystem` is its type: of others as well
  bool local = false;      // of a file system that is written to on this machine alone
};

// statx, and statfs once per mounted device.
class StatCache {
 public:
  virtual ~StatCache() = default;
  // Symlinks followed. Virtual for tests, in which names change between two calls.
  virtual Result<FileStat> path(const std::string& path);
  Result<FileStat> descriptor(int fd);
  void clear() { file_systems_.clear(); }  // after mounts may have changed

 private:
  struct FileSystem {
    std::uint64_t id = 0;
    bool in_memory = false;
    bool numbered = true;
    bool local = false;
  };
  Result<FileStat> stat(int fd, const char* path);
  FileSystem file_system(std::uint64_t device, int fd, const char* path);
  std::unordered_map<std::uint64_t, FileSystem> file_systems_;
};

constexpr std::size_t kPrefixBytes = 1024;

using PrefixHash = std::array<std::uint8_t, 16>;
PrefixHash prefix_hash(std::string_view bytes);

FileIdentity identity_of(const FileStat& stat, std::string_view head);
// Whether the inode is the same one: numbers are given again, by some file systems at once, and
// only the birth time tells. The file system is not compared: reboots renumber it.
bool same_inode(const FileIdentity& identity, const FileStat& stat);
// False where `head`, the first bytes of a content, is not what the identity was made from.
bool same_start(const FileIdentity& identity, std::string_view head);

// Whether a file made of another kept its time, as compressors do; some keep whole seconds only.
bool kept_time(std::int64_t copy_ns, std::int64_t original_ns);

// The inodes that are known, each as it was born: the number comes again. Of a file system without
// an id nothing is: another one may have the same numbers, and FUSE and NFS tell no births.
class KnownInodes {
 public:
  void add(const FileIdentity& identity);
  bool contains(const FileStat& stat) const;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::int64_t> births_;
};

// What a file's bytes are, by its name's ending or, where given, its first bytes.
enum class Format { kPlain, kGzip, kZstd, kXz, kBzip2 };
Format format_of_name(std::string_view path);
Format format_of_bytes(std::string_view head);
std::string_view name(Format format);

// "/var/log/" and "app.log" of "/var/log/app.log".
std::string_view directory_of(std::string_view path);
std::string_view base_name(std::string_view path);
// "/var/log/app.log" for itself and its rotations: app.log.1, app.log-20261123.gz, app.log.old.
std::string family_of(std::string_view path);
// Whether the name itself says that it is a rotation: it differs from its family's.
bool has_rotated_name(std::string_view path);

// The bytes in front of a position: a content replaced by another of the same start and at least
// the same length is noticed by them.
constexpr std::size_t kTailBytes = 64;

// The CRC-32C of a content up to a place on the way to its position. By it a copy is known that was
// made before the last bytes were appended: a busy log goes on between copytruncate's two steps.
struct ContentMark {
  std::uint64_t length = 0;  // 0: none
  std::uint32_t crc = 0;
};
// The later one first. One is set whenever the position has grown by an eighth, so the two lie in
// the last quarter of a content that was read in small steps, however large it is.
using ContentMarks = std::array<ContentMark, 2>;
void set_mark(ContentMarks& marks, std::uint64_t position, std::uint32_t crc);

// What FileState.note holds for a file.
struct FileNote {
  std::string boot_id;            // when the position was last written
  std::uint64_t tail_end = 0;     // the position that the tail lies before; a salvage of the buffer
                                  // moves positions without their tail: then it says nothing
  std::uint32_t tail_length = 0;  // at most kTailBytes
  std::uint32_t tail_crc = 0;
  bool copytruncated = false;   // its name was seen truncated in place
  bool compressed = false;      // offset and prefix are of the decompressed content
  bool complete = false;        // nothing of it is left to be read, however large it is
  bool unreadable = false;      // a rotation of which not all can be read, and what is not was lost
  std::uint64_t last_seen = 0;  // in seconds of service (file_table.h); 0: not known
  ContentMarks marks;
  // Of the file when its bytes were last compared; no time: not known.
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
};
std::string encode(const FileNote& note);
FileNote decode_note(std::string_view text);  // what cannot be read is left empty

}  // namespace edgehose
