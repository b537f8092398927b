#include "buffer/archive.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/device.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/lmdb_pages.h"

namespace edgehose {
namespace {

constexpr std::string_view kSuffix = ".salvaged-";
constexpr std::size_t kHeaderSizeAt = 8;

std::uint64_t page_floor(std::uint64_t at) { return at / lmdb::kPageBytes * lmdb::kPageBytes; }
std::uint64_t page_ceil(std::uint64_t at) { return page_floor(at + lmdb::kPageBytes - 1); }

}  // namespace

std::string encode_reference(std::string_view head, const Reference& reference) {
  std::string out(head);
  out.append(kReferenceMagic);
  put_le(out, reference.archive);
  put_le(out, reference.offset);
  put_le(out, crc32c(0, out));
  return out;
}

std::optional<Reference> parse_reference(std::string_view value) {
  if (value.size() < kBlockHeaderBytes + kReferenceBytes || !value.starts_with(kBlockMagic))
    return std::nullopt;
  ByteReader front(value.substr(kHeaderSizeAt));
  if (front.le<std::uint32_t>() != value.size() - kReferenceBytes) return std::nullopt;
  std::string_view tail = value.substr(value.size() - kReferenceBytes);
  if (!tail.starts_with(kReferenceMagic)) return std::nullopt;
  ByteReader in(tail.substr(kReferenceMagic.size()));
  Reference reference;
  reference.archive = in.le<std::uint32_t>();
  reference.offset = in.le<std::uint64_t>();
  if (in.le<std::uint32_t>() != crc32c(0, value.substr(0, value.size() - 4))) return std::nullopt;
  return reference;
}

bool looks_like_reference(std::string_view bytes, const BlockHeader& header) {
  const std::size_t size = header_size(header) + kReferenceBytes;
  return bytes.size() >= size && parse_reference(bytes.substr(0, size));
}

// A leaf page has a table behind its header, so a block right behind one has pages of its own.
PageSpan pages_of(std::uint64_t offset, std::uint64_t stored) {
  const bool alone = offset % lmdb::kPageBytes == sizeof(lmdb::PageHeader);
  const std::uint64_t first = alone ? page_floor(offset) : page_ceil(offset);
  const std::uint64_t end = alone ? page_ceil(offset + stored) : page_floor(offset + stored);
  return {first, end > first ? end - first : 0};
}

std::vector<PageSpan> gaps_between(std::vector<PageSpan> spans, std::uint64_t end) {
  std::ranges::sort(spans, {}, &PageSpan::first);
  spans.push_back({end, 0});
  std::vector<PageSpan> gaps;
  std::uint64_t at = 0;
  for (const PageSpan& span : spans) {
    if (span.first > at) gaps.push_back({at, std::min(span.first, end) - at});
    at = std::max(at, span.first + span.length);
  }
  return gaps;
}

std::string archive_path(const std::string& directory, std::uint32_t id) {
  return fmt::format("{}/{}{}{}", directory, keyspace::kEnvironmentFile, kSuffix, id);
}

std::vector<ArchiveFile> archive_files(const std::string& directory) {
  std::vector<ArchiveFile> found;
  const std::string prefix = std::string(keyspace::kEnvironmentFile) + std::string(kSuffix);
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* entry = ::readdir(dir)) {
      const std::string name = entry->d_name;
      if (!name.starts_with(prefix)) continue;
      const auto id =
          static_cast<std::uint32_t>(std::strtoul(name.c_str() + prefix.size(), nullptr, 10));
      const std::string path = archive_path(directory, id);
      if (id != 0 && path == directory + "/" + name) found.push_back({id, path});
    }
    ::closedir(dir);
  }
  std::ranges::sort(found, {}, &ArchiveFile::id);
  return found;
}

void Archives::open(const std::string& directory, std::uint32_t id, bool read_only) {
  const std::string path = archive_path(directory, id);
  auto file = open_file(path, read_only ? O_RDONLY : O_RDWR);
  if (!file) {
    log::error("buffer: {} cannot be opened, and with it the records that were salvaged in it: {}",
               path, file.error().message);
    return;
  }
  const std::lock_guard lock(mutex_);
  files_.insert_or_assign(id, std::move(*file));
}

bool Archives::holds(std::uint32_t id) const { return fd(id) >= 0; }

std::vector<std::uint32_t> Archives::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> ids;
  for (const auto& [id, file] : files_) ids.push_back(id);
  return ids;
}

void Archives::close(std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  files_.erase(id);
}

int Archives::fd(std::uint32_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  return found == files_.end() ? -1 : found->second.get();
}

Result<std::string> Archives::read(std::string_view value, const Reference& reference) const {
  const std::string_view head = value.substr(0, value.size() - kReferenceBytes);
  EH_ASSIGN(const BlockHeader header, decode_header(head));
  const auto gone = [&] {
    return fail(ErrorCode::kCorrupt, "block {} does not lie in salvaged file {} any more",
                header.number.value, reference.archive);
  };
  const int file = fd(reference.archive);
  if (file < 0) return gone();
  std::string stored(static_cast<std::size_t>(stored_size(header)), '\0');
  for (std::size_t done = 0; done < stored.size();) {
    const ssize_t n = ::pread(file, stored.data() + done, stored.size() - done,
                              static_cast<off_t>(reference.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return gone();
    done += static_cast<std::size_t>(n);
  }
  if (!stored.starts_with(head)) return gone();
  return stored;
}

bool Archives::punch(std::uint32_t id, const PageSpan& span) {
  const int file = fd(id);
  return file >= 0 && edgehose::punch(file, span.first, span.length).value_or(false);
}

std::uint64_t Archives::allocated(std::uint32_t id) const {
  const int file = fd(id);
  return file < 0 ? 0 : allocated_bytes(file).value_or(0);
}

bool Archives::deleted(std::uint32_t id) const {
  const int file = fd(id);
  struct stat st {};
  return file >= 0 && ::fstat(file, &st) == 0 && st.st_nlink == 0;
}

Status Archives::put_back(const std::string& directory, std::uint32_t id, OpenProgress& progress) {
  const std::string path = archive_path(directory, id), fresh = path + ".new";
  const int from = fd(id);
  const auto end = static_cast<off_t>(size(id));
  EH_ASSIGN(FileDescriptor to, open_file(fresh, O_RDWR | O_CREAT | O_TRUNC));
  const auto failed = [&] { return fail_errno(errno, "putting back " + path); };
  if (::ftruncate(to.get(), end) != 0) return failed();
  std::string chunk(1 << 20, '\0');
  off_t at = ::lseek(from, 0, SEEK_DATA);
  while (at >= 0 && at < end) {
    const ssize_t n = ::pread(from, chunk.data(), chunk.size(), at);
    if (n <= 0 || ::pwrite(to.get(), chunk.data(), static_cast<std::size_t>(n), at) != n)
      return failed();
    progress.advance(static_cast<std::uint64_t>(at + n));
    at = ::lseek(from, at + n, SEEK_DATA);
  }
  if (at < 0 && errno != ENXIO) return failed();  // ENXIO: holes alone are left
  if (::fsync(to.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) return failed();
  const std::lock_guard lock(mutex_);
  replaced_.push_back(std::exchange(files_.at(id), std::move(to)));
  return sync_directory(directory);
}

std::uint64_t Archives::size(std::uint32_t id) const {
  const int file = fd(id);
  struct stat st {};
  return file < 0 || ::fstat(file, &st) != 0 ? 0 : static_cast<std::uint64_t>(st.st_size);
}

}  // namespace edgehose
