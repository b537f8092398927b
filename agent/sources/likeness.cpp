// Whether a file never seen before holds a known content: by its name, its time and its bytes.
#include "agent/sources/comparer.h"

namespace edgehose {
namespace {

// So much equal content is no accident; less must be explained by the names.
constexpr std::uint64_t kStrongEvidence = kPrefixBytes;

// The log that a name tells of without its directory, also where the number or date stands in front
// of the ending: "app.log" of app.log.1, app.1.log and app-20261126.log.gz.
std::string stem_of(std::string_view path) {
  const std::string family = family_of(base_name(path));
  const std::size_t ending = family.rfind('.');
  if (ending == std::string::npos || ending == 0) return family;
  return family_of(std::string_view(family).substr(0, ending)) + family.substr(ending);
}

// "app.log.1" is a rotation, also while no app.log is there; "port-1" need not be one.
bool follows_a_dot(std::string_view path) {
  const std::size_t family = family_of(path).size();
  return family < path.size() && path[family] == '.';
}

// A time older than the file itself was set by whoever copied it; a log has that of its last write.
bool time_was_set(const FileStat& stat) {
  return stat.birth_ns != 0 && stat.mtime_ns < stat.birth_ns;
}

}  // namespace

// Whether a rotation of which less than 1 KiB was there, a header maybe, holds a copy of what is in
// the log itself, or was until it was truncated: `cp app.log app.log.1; : >app.log` keeps the
// inode, and what both begin with. Where rotations are renames the log never has what its rotation
// was not read of before. One that is shorter than what was read of the log may be a copy under
// way, or one made before the last lines came: it is placed once it stands still. None: asked.
std::optional<bool> Comparer::written_over(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  const std::uint32_t start = known.identity.prefix_length;
  if (start == 0 || start == kPrefixBytes || !rotated(s) || is_compressed(seen.format))
    return false;
  const bool as_it_was = seen.stat.size == known.size && seen.stat.mtime_ns == known.mtime_ns;
  if (as_it_was || seen.stat.size <= kPrefixBytes || seen.unopened) return false;
  const std::string* const head = head_of(s);
  if (head == nullptr) return std::nullopt;
  if (!same_start(known.identity, *head)) return true;
  index_contents();
  const auto alike = by_prefix_.find({kPrefixBytes, prefix_hash(*head)});
  if (alike == by_prefix_.end()) return false;
  for (const std::size_t log : alike->second) {
    if (!is_the_logs_own(log, s)) continue;
    if (seen.stat.size < before_[log].offset) return true;
    const ContentCrc* const crc = crc_of(s, before_[log].offset);
    if (crc == nullptr) return std::nullopt;
    if (crc->crc == before_[log].crc) return true;
  }
  return false;
}

// Enough was read of it to be compared.
bool Comparer::is_the_logs_own(std::size_t k, std::size_t s) const {
  const KnownContent& known = before_[k];
  return known.crc_known && known.offset >= kStrongEvidence &&
         known.path == family_of(now_[s].path);
}

// kSame: equal up to the position. kBeginning: the file is shorter than it, as far as it goes
// equal. kGrowing: it may be its rest that is being compressed,
// or a rotation never seen.
Comparer::Likeness Comparer::compare_contents(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  if (skipped(known)) return compare_skipped(k, s);
  if (!explained(k, s)) return Likeness::kDifferent;
  const bool shorter = !is_compressed(seen.format) && seen.stat.size < known.offset;
  if (!known.crc_known) return shorter ? Likeness::kDifferent : Likeness::kSame;
  if (shorter) return compare_shorter(k, s);
  const auto crc = crc_of(s, known.offset);
  if (!crc) return Likeness::kAsked;
  if (!crc->crc && !seen.quiet) return Likeness::kGrowing;
  if (!crc->crc)  // compressed, and ends before the position
    return put_back(k, s) ? Likeness::kBeginning : compare_by_marks(k, s);
  return *crc->crc == known.crc ? Likeness::kSame : Likeness::kDifferent;
}

// Of a skipped archive the start alone is known, which is all of it where it is short, and its
// file: what has the size of it, compressed, is its copy, and what has its time was unpacked from
// it, as a whole once nobody writes to it. That is left, too. Logs begin alike: what cannot be told
// is read.
Comparer::Likeness Comparer::compare_skipped(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  const std::uint32_t start = known.identity.prefix_length;
  if (start < kPrefixBytes && head_of(s)->size() > start) return Likeness::kDifferent;
  if (is_compressed(seen.format)) {
    const bool copy = explained(k, s) && known.offset == seen.stat.size;
    return copy ? Likeness::kSame : Likeness::kDifferent;
  }
  if (!rotation_of(k, s)) return Likeness::kDifferent;
  // The time is put on it at the end.
  if (!seen.quiet) return seen.waited_long ? Likeness::kDifferent : Likeness::kGrowing;
  const bool unpacked = known.mtime_ns != 0 && kept_time(seen.stat.mtime_ns, known.mtime_ns);
  return unpacked ? Likeness::kBeginning : Likeness::kDifferent;
}

// What was restored under its name while nobody looked, as log2ram does at boot, kept its time.
// What is newer was written anew, unless the last lines before the boot are behind what was read.
bool Comparer::restored(const KnownContent& known, const SeenFile& seen) {
  if (!seen.first_look || known.path != seen.path) return false;
  const bool time_kept = known.mtime_ns != 0 && seen.stat.mtime_ns <= known.mtime_ns;
  if (known.same_boot) return time_kept;
  return time_kept || known.mtime_ns == 0 || seen.stat.size > known.offset;
}

// A file that is shorter than what was read of a content that is gone is compared up to the last
// mark in it. Where there is none it cannot be: headers are shared, and what is taken for read is
// lost. So its start alone is believed only of an earlier state that a boot has put back.
bool Comparer::put_back(std::size_t k, std::size_t s) const {
  const KnownContent& known = before_[k];
  return !known.same_boot && known.identity.prefix_length == kPrefixBytes &&
         restored(known, now_[s]);
}

Comparer::Likeness Comparer::compare_shorter(std::size_t k, std::size_t s) {
  if (!present(k) && !put_back(k, s)) return compare_by_marks(k, s);
  if (!now_[s].quiet) return Likeness::kUnclear;
  const std::uint64_t length = now_[s].stat.size;
  const auto own = crc_of(s, length);
  if (!own) return Likeness::kAsked;
  if (!present(k)) return Likeness::kBeginning;
  const auto original = crc_of(seen_of_[k], length);
  if (!original) return Likeness::kAsked;
  return own->crc == original->crc ? Likeness::kBeginning : Likeness::kDifferent;
}

// A copy made before the last bytes were appended, and read. What follows the mark in it cannot
// be compared; that is little, for marks are far up (ContentMarks).
Comparer::Likeness Comparer::compare_by_marks(std::size_t k, std::size_t s) {
  const std::string_view path = now_[s].path;
  if (!rotated(s) || family_of(before_[k].path) != family_of(path)) return Likeness::kDifferent;
  if (!now_[s].quiet) return Likeness::kUnclear;
  for (const ContentMark& mark : before_[k].marks) {
    if (mark.length < kStrongEvidence || mark.length < before_[k].offset / 2) break;
    if (!is_compressed(now_[s].format) && now_[s].stat.size < mark.length) continue;
    const ContentCrc* const crc = crc_of(s, mark.length);
    if (crc == nullptr) return Likeness::kAsked;
    if (!crc->crc) continue;  // compressed, and ends before the mark
    return *crc->crc == mark.crc ? Likeness::kBeginning : Likeness::kDifferent;
  }
  return Likeness::kDifferent;
}

bool Comparer::explained(std::size_t k, std::size_t s) const {
  const KnownContent& known = before_[k];
  if (rotation_of(k, s)) return true;
  if (!present(k) && restored(known, now_[s])) return true;
  return known.offset >= kStrongEvidence && known.identity.prefix_length == kPrefixBytes &&
         !begins_anew(k, s);
}

bool Comparer::rotation_of(std::size_t k, std::size_t s) const {
  return rotated(s) && family_of(before_[k].path) == family_of(now_[s].path);
}

// However much is equal: a job writes the same lines every night, a service the same banner at each
// start. So what stands where a log was known is no copy, nor what has the name of a log of which a
// rotation, or a namesake in another directory, has the bytes; nor what another source read, for
// that goes elsewhere. What cannot be told is rather read twice than lost. But a copy that kept its
// time is one: put back, or replaced by itself and what came behind, as rsync does.
bool Comparer::begins_anew(std::size_t k, std::size_t s) const {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  const std::string_view place = present(k) ? now_[seen_of_[k]].path : known.path;
  const std::optional<std::size_t> source = present(k) ? now_[seen_of_[k]].source : known.source;
  if (source && seen.source != source) return true;
  if (rotated(s) || follows_a_dot(seen.path)) return false;
  if (time_was_set(seen.stat)) {
    if (seen.stat.mtime_ns == known.mtime_ns) return false;
    const bool back = seen.stat.mtime_ns < known.mtime_ns || seen.stat.size > known.offset;
    if (known.path == seen.path && !present(k) && back) return false;
  }
  return known_paths_.contains(seen.path) || next_in_series(place, seen.path);
}

// Whether `path` is a log's own name and `other` tells of the same log; or both are numbered or
// dated and no log has the name without that. A number where the other has none is that one's
// rotation.
bool Comparer::next_in_series(std::string_view other, std::string_view path) const {
  const std::string stem = stem_of(path);
  if (stem != stem_of(other)) return false;
  const std::string_view directory = directory_of(path);
  if (path.substr(directory.size()) == stem) return true;
  if (other.substr(directory_of(other).size()) == stem) return false;
  return !paths_.contains(std::string(directory).append(stem));
}

}  // namespace edgehose
