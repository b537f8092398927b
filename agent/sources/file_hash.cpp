// Hashing in a FileTable: what tells copies may be gigabytes, so a step at a time.
#include <unistd.h>

#include <algorithm>

#include "agent/sources/file_reader.h"
#include "agent/sources/file_table.h"

namespace edgehose {

// None: it goes on in steps, or waits for its turn. What is short is answered within the look.
Result<std::optional<ContentCrc>> FileTable::hash(const FoundFile& found, Format format,
                                                  std::uint64_t length) {
  const FileKey key{found.stat.device, found.stat.inode};
  if (!continues(found, format, length)) {
    const bool free = !hashing_ || hashing_->file == key || (hashing_->wanted && hashing_->over());
    if (!free && length > hash_share_) {
      hash_waits_ = hash_waits_ || hashing_->over();
      return std::nullopt;
    }
    EH_ASSIGN(FileDescriptor file, open_seen(found));
    EH_ASSIGN(auto content, open_content(std::move(file), format));
    ContentHasher hasher(std::move(content), length);
    if (!free) {
      EH_TRY(hasher.step(hash_share_));
      return ContentCrc{length, hasher.crc()};
    }
    hashing_ = std::make_unique<Hashing>(
        Hashing{key, found.stat, found.selection, format, std::move(hasher)});
  }
  hashing_->wanted = true;
  if (const auto given = hashing_->answer(length)) return given;
  hashing_->hasher.extend(length);
  if (Status step = hashing_->hasher.step(hash_share_); !step) {
    hashing_.reset();
    return tl::unexpected(std::move(step).error());
  }
  if (hashing_->hasher.done()) {
    hashing_->answers.push_back({length, hashing_->hasher.crc()});
    return hashing_->answers.back();
  }
  sources_[found.selection]->waker.wake();
  return std::nullopt;
}

std::optional<ContentCrc> FileTable::Hashing::answer(std::uint64_t length) const {
  const auto at = std::ranges::find(answers, length, &ContentCrc::length);
  return at == answers.end() ? std::nullopt : std::optional(*at);
}

// Whether what was hashed so far is the beginning of what is asked for, or holds the answer. A
// plain file that only grew still holds it.
bool FileTable::continues(const FoundFile& found, Format format, std::uint64_t length) {
  if (!hashing_ || hashing_->file != FileKey(found.stat.device, found.stat.inode) ||
      hashing_->format != format)
    return false;
  const ContentHasher& hasher = hashing_->hasher;
  const bool same_file =
      hashing_->stat.size == found.stat.size && hashing_->stat.mtime_ns == found.stat.mtime_ns;
  if (length < hasher.hashed() && !hashing_->answer(length)) return false;
  if (same_file) return true;
  const std::string& tail = hasher.tail();
  if (hasher.ended() || format != Format::kPlain || found.stat.size < hasher.hashed()) return false;
  const auto file = open_seen(found);
  if (!file) return false;
  std::string now(tail.size(), '\0');
  const ssize_t got = ::pread(file->get(), now.data(), now.size(),
                              static_cast<off_t>(hasher.hashed() - tail.size()));
  if (got != static_cast<ssize_t>(now.size()) || now != tail) return false;
  hashing_->stat = found.stat;
  return true;
}

void FileTable::hash_on(std::size_t source) {
  if (!hashing_ || hashing_->source != source || hashing_->over()) return;
  std::uint64_t share = kHashShare;
  hashing_->failed = !hashing_->hasher.step(share);
  if (hashing_->over()) look_at_ = clock_.now();
}

// What this look did not ask for is not waited for any more.
void FileTable::end_hashing(const Look& look) {
  if (!hashing_ || look.undecided) return;
  if (!hashing_->wanted)
    hashing_.reset();
  else
    hashing_->wanted = false;
}

}  // namespace edgehose
