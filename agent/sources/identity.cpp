#include "agent/sources/identity.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/base/bytes.h"

namespace edgehose {
namespace {

struct Ending {
  std::string_view text;
  Format format;
};
constexpr Ending kEndings[] = {{".gz", Format::kGzip},
                               {".zst", Format::kZstd},
                               {".xz", Format::kXz},
                               {".bz2", Format::kBzip2}};
constexpr std::string_view kOldNames[] = {"old", "bak", "prev"};

// Known to tell inotify what is written to them. Not those of a network, FUSE (whose server may
// write by itself) or overlays (whose lower files may be written to).
constexpr std::uint32_t kUbifsMagic = 0x24051905;  // not in magic.h
constexpr std::uint32_t kLocal[] = {
    EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,   BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC,
    RAMFS_MAGIC,      MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC, kUbifsMagic,      JFFS2_SUPER_MAGIC};

// Times that an int64 has no room for (from 2262 on), or that could not be subtracted from others,
// are its bounds.
std::int64_t nanoseconds(const statx_timestamp& t) {
  constexpr std::int64_t kSecond = 1'000'000'000, kMost = INT64_MAX / kSecond - 1;
  return std::clamp<std::int64_t>(t.tv_sec, -kMost / 4, kMost) * kSecond + t.tv_nsec;
}

bool is_rotation_mark(std::string_view word) {
  if (word.empty()) return false;
  if (std::find(std::begin(kOldNames), std::end(kOldNames), word) != std::end(kOldNames))
    return true;
  return word.find_first_not_of("0123456789T") == std::string_view::npos && word != "T";
}

std::string_view without_marks(std::string_view name) {
  for (const Ending& ending : kEndings)
    if (name.size() > ending.text.size() && name.ends_with(ending.text))
      name.remove_suffix(ending.text.size());
  for (;;) {
    const std::size_t mark = name.find_last_of(".-_");
    if (mark == std::string_view::npos || mark == 0 || !is_rotation_mark(name.substr(mark + 1)))
      return name;
    name = name.substr(0, mark);
  }
}

}  // namespace

Result<FileStat> StatCache::path(const std::string& path) { return stat(AT_FDCWD, path.c_str()); }
Result<FileStat> StatCache::descriptor(int fd) { return stat(fd, ""); }

Result<FileStat> StatCache::stat(int fd, const char* path) {
  struct statx x {};
  const int flags = *path == '\0' ? AT_EMPTY_PATH : 0;
  if (::statx(fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &x) != 0)
    return fail_errno(errno, path);
  FileStat s;
  s.device = makedev(x.stx_dev_major, x.stx_dev_minor);
  const FileSystem& fs = file_system(s.device, fd, path);
  s.filesystem = fs.id;
  s.in_memory = fs.in_memory;
  s.numbered = fs.numbered;
  s.local = fs.local;
  s.inode = x.stx_ino;
  s.birth_ns = (x.stx_mask & STATX_BTIME) != 0 ? nanoseconds(x.stx_btime) : 0;
  s.mtime_ns = nanoseconds(x.stx_mtime);
  s.size = x.stx_size;
  s.links = x.stx_nlink;
  s.regular = S_ISREG(x.stx_mode);
  s.directory = S_ISDIR(x.stx_mode);
  return s;
}

StatCache::FileSystem StatCache::file_system(std::uint64_t device, int fd, const char* path) {
  if (const auto known = file_systems_.find(device); known != file_systems_.end())
    return known->second;
  struct statfs f {};
  FileSystem fs;
  if ((*path == '\0' ? ::fstatfs(fd, &f) : ::statfs(path, &f)) == 0) {
    std::memcpy(&fs.id, &f.f_fsid, sizeof fs.id);
    const auto type = static_cast<std::uint32_t>(f.f_type);  // an int, maybe negative, on 32 bit
    fs.in_memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
    fs.local = std::ranges::find(kLocal, type) != std::end(kLocal);
    // FUSE, NFS, tmpfs of older kernels. Its device number would be another after each boot.
    fs.numbered = fs.id != 0;
    if (!fs.numbered) fs.id = type;
  }
  file_systems_.emplace(device, fs);
  return fs;
}

PrefixHash prefix_hash(std::string_view bytes) {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  PrefixHash hash;
  std::copy_n(digest, hash.size(), hash.begin());
  return hash;
}

FileIdentity identity_of(const FileStat& stat, std::string_view head) {
  FileIdentity identity;
  identity.filesystem = stat.filesystem;
  identity.inode = stat.inode;
  identity.birth_ns = stat.birth_ns;
  const std::string_view prefix = head.substr(0, kPrefixBytes);
  identity.prefix_length = static_cast<std::uint32_t>(prefix.size());
  if (!prefix.empty()) identity.prefix_hash = prefix_hash(prefix);
  return identity;
}

bool same_inode(const FileIdentity& identity, const FileStat& stat) {
  return identity.inode == stat.inode &&
         (identity.birth_ns == stat.birth_ns || identity.birth_ns == 0 || stat.birth_ns == 0);
}

void KnownInodes::add(const FileIdentity& identity) {
  births_[{identity.filesystem, identity.inode}] = identity.birth_ns;
}

bool KnownInodes::contains(const FileStat& stat) const {
  const auto born = births_.find({stat.filesystem, stat.inode});
  return stat.numbered && born != births_.end() && born->second == stat.birth_ns;
}

bool kept_time(std::int64_t copy_ns, std::int64_t original_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t unit = copy_ns % kSecond == 0 ? kSecond : 1;
  return copy_ns / unit == original_ns / unit;
}

bool same_start(const FileIdentity& identity, std::string_view head) {
  if (identity.prefix_length == 0) return true;
  return head.size() >= identity.prefix_length &&
         prefix_hash(head.substr(0, identity.prefix_length)) == identity.prefix_hash;
}

Format format_of_name(std::string_view path) {
  for (const Ending& ending : kEndings)
    if (path.ends_with(ending.text)) return ending.format;
  return Format::kPlain;
}

Format format_of_bytes(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x1f\x8b\x08"sv)) return Format::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd"sv)) return Format::kZstd;
  if (head.starts_with("\xfd\x37\x7a\x58\x5a\x00"sv)) return Format::kXz;
  if (head.size() >= 10 && head.starts_with("BZh"sv) && head.substr(4, 6) == "1AY&SY"sv)
    return Format::kBzip2;
  return Format::kPlain;
}

std::string_view name(Format format) {
  switch (format) {
    case Format::kGzip: return "gzip";
    case Format::kZstd: return "zstd";
    case Format::kXz: return "xz";
    case Format::kBzip2: return "bzip2";
    case Format::kPlain: break;
  }
  return "plain";
}

std::string_view directory_of(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string family_of(std::string_view path) {
  return std::string(directory_of(path)).append(without_marks(base_name(path)));
}

bool has_rotated_name(std::string_view path) {
  const std::string_view name = base_name(path);
  return without_marks(name).size() < name.size();
}

void set_mark(ContentMarks& marks, std::uint64_t position, std::uint32_t crc) {
  const std::uint64_t last = marks[0].length;
  if (position >= last + std::max<std::uint64_t>(last / 8, 1))
    marks = {{{position, crc}, marks[0]}};
}

namespace {
constexpr std::uint8_t kNoteVersion = 1;
constexpr std::uint8_t kCopytruncated = 1, kCompressed = 2, kComplete = 4, kUnreadable = 8;
}  // namespace

std::string encode(const FileNote& note) {
  std::string out;
  out.push_back(static_cast<char>(kNoteVersion));
  out.push_back(static_cast<char>(
      (note.copytruncated ? kCopytruncated : 0) | (note.compressed ? kCompressed : 0) |
      (note.complete ? kComplete : 0) | (note.unreadable ? kUnreadable : 0)));
  put_varint(out, note.tail_end);
  put_varint(out, note.tail_length);
  put_le(out, note.tail_crc);
  put_string(out, note.boot_id.substr(0, 64));
  put_varint(out, note.last_seen);
  for (const ContentMark& mark : note.marks) {
    put_varint(out, mark.length);
    put_le(out, mark.crc);
  }
  put_varint(out, note.size);
  put_le(out, note.mtime_ns);
  return out;
}

FileNote decode_note(std::string_view text) {
  ByteReader in(text);
  FileNote note;
  if (in.le<std::uint8_t>() != kNoteVersion) return note;
  const auto flags = in.le<std::uint8_t>();
  const auto tail_end = in.varint();
  const auto tail_length = in.varint();
  const auto tail_crc = in.le<std::uint32_t>();
  const std::string_view boot = in.string();
  const auto last_seen = in.varint();
  if (!in.ok() || tail_length > kTailBytes) return note;
  note.copytruncated = (flags & kCopytruncated) != 0;
  note.compressed = (flags & kCompressed) != 0;
  note.complete = (flags & kComplete) != 0;
  note.unreadable = (flags & kUnreadable) != 0;  // an earlier version writes it never
  note.tail_end = tail_end;
  note.tail_length = static_cast<std::uint32_t>(tail_length);
  note.tail_crc = tail_crc;
  note.boot_id = boot;
  note.last_seen = last_seen;
  ContentMarks marks;  // of notes written by an earlier version there are none
  for (ContentMark& mark : marks) mark = {in.varint(), in.le<std::uint32_t>()};
  if (in.ok()) note.marks = marks;
  const auto size = in.varint();
  const auto mtime_ns = in.le<std::int64_t>();
  if (in.ok()) {
    note.size = size;
    note.mtime_ns = mtime_ns;
  }
  return note;
}

}  // namespace edgehose
