// Rotations that cannot be read, or not to their end: what they were made of, what is lost, what is
// said of them while they are there.
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

bool unsupported(std::string_view path) {
  const Format named = format_of_name(path);
  return named == Format::kXz || named == Format::kBzip2;
}

// After a restart nobody looks into it again: its name and position tell all.
std::string what_is_wrong(const TrackedFile& file) {
  if (unsupported(file.path))
    return fmt::format("{} is a rotation that cannot be read ({} is not supported)", file.path,
                       name(format_of_name(file.path)));
  if (file.crc_known)
    return fmt::format("{} is readable up to byte {} of its content and no further", file.path,
                       format_count(file.line.begin));
  return file.path + " is a rotation that cannot be read (damaged, or not what its name says)";
}

}  // namespace

std::string TrackedFile::lost_text() const {
  return what_is_wrong(*this) + (unsupported(path)
                                     ? "; decompress it in its place, and let rotations use gzip "
                                       "or zstd"
                                     : "; remove it once it is of no use any more");
}

// A rotation of which nobody can tell what is inside. Compressors keep the time of what they
// compress: by it the content that it was made from is known, and what is unread of that is read
// from the descriptor that is held, or counted where that ends. Else all of it is lost, as much as
// its file tells.
void FileTable::apply_unreadable(Look& look, const Change& change) {
  const FoundFile& found = look.found.files[*change.seen];
  const TrackedFile* const original = compressed_from(look, found);
  TrackedFile& file = track(found, look.now[*change.seen]);
  skip_to_end(file, found);
  if (original != nullptr)
    return log::info("{}: it was made of {}, which is known", what_is_wrong(file), original->path);
  file.note.unreadable = true;
  sources_[file.source]->losses.lost_bytes += found.stat.size;
  log::warn("source {}: {}; counted as lost: {} (compressed)", sources_[file.source]->config.name,
            file.lost_text(), format_size(found.stat.size));
}

// The content that `found`, which cannot be read, was made from: one of its family that is not
// there under a name any more and was last written to at the same time. Null: none, or one of which
// it is not known that all of it is read.
const TrackedFile* FileTable::compressed_from(const Look& look, const FoundFile& found) const {
  const auto same_time = [&](std::int64_t mtime_ns) {
    return kept_time(found.stat.mtime_ns, mtime_ns);
  };
  const std::string family = family_of(found.path);
  for (std::size_t i = 0; i < look.known.size(); ++i) {
    const TrackedFile& known = *look.known[i];
    if (look.present[i] || known.compressed() || family_of(known.path) != family) continue;
    if (known.fd.valid())
      if (const auto held = stats_.descriptor(known.fd.get()); held && same_time(held->mtime_ns))
        return &known;
    // What was not read of it, where that is known, is counted once it has been away for long.
    const bool counted = known.owned && !known.finished && same_time(known.mtime_ns);
    const bool read = same_time(known.verified_mtime_ns) && known.verified_size == known.line.begin;
    if (counted || read) return &known;
  }
  return nullptr;
}

}  // namespace edgehose
