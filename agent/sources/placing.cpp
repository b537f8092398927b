// Files never seen before: a copy of a known content, a rotation that came and went, or a new log.
#include <algorithm>
#include <functional>
#include <tuple>

#include "agent/sources/comparer.h"

namespace edgehose {
namespace {

// So much equal content is no accident; less must be explained by the names.
constexpr std::uint64_t kStrongEvidence = kPrefixBytes;

std::string prefix_key(std::uint32_t length, const PrefixHash& hash) {
  std::string key(reinterpret_cast<const char*>(hash.data()), hash.size());
  key.append(reinterpret_cast<const char*>(&length), sizeof length);
  return key;
}

std::string_view directory_of(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

// The log that a name tells of without its directory, also where the number or date stands in front
// of the ending: "app.log" of app.log.1, app.1.log and app-20261126.log.gz.
std::string stem_of(std::string_view path) {
  const std::string family = family_of(path.substr(path.rfind('/') + 1));
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

void Comparer::index_families() {
  for (std::size_t k = 0; k < before_.size(); ++k) {
    const KnownContent& known = before_[k];
    families_.insert(family_of(known.path));
    if (known.identity.prefix_length == 0) continue;
    prefix_lengths_.insert(known.identity.prefix_length);
    by_prefix_[prefix_key(known.identity.prefix_length, known.identity.prefix_hash)].push_back(k);
  }
}

void Comparer::place(std::size_t s) {
  const SeenFile& seen = now_[s];
  const bool rotated = this->rotated(s);
  if (!seen.named && !rotated) return;  // a neighbour that is none of ours
  if (seen.unopened) {
    wait(s).settles = false;
    return;
  }
  const std::string family = family_of(seen.path);
  const bool followed = families_.contains(family);
  if (seen.format == Format::kXz || seen.format == Format::kBzip2)
    return add({followed ? ChangeKind::kUnreadable : ChangeKind::kSkipped, std::nullopt, s});
  // Before anything that was known: its header may be equal to that of a content that is gone.
  if (rotated && begins_like_an_unread_one(s, family)) return;
  if (!by_prefix_.empty() && place_as_copy(s)) return;
  if (rotated && followed && !seen.quiet && !seen.waited_long) {
    wait(s).precedes = true;
    return;
  }
  place_as_new(s, rotated, followed);
  if (!is_compressed(seen.format)) unread_[family].push_back(s);
}

// A copy of a content of which nothing was read yet: once that is done the two can be compared.
// True also where a question was asked.
bool Comparer::begins_like_an_unread_one(std::size_t s, const std::string& family) {
  const auto others = unread_.find(family);
  if (others == unread_.end()) return false;
  const std::string* own = head_of(s);
  if (own == nullptr) return true;
  for (const std::size_t other : others->second) {
    const std::string* head = head_of(other);
    if (head == nullptr) return true;
    // A copy holds no more than its original.
    const bool longer = !is_compressed(now_[s].format) && now_[s].stat.size > now_[other].stat.size;
    if (own->empty() || longer || !head->starts_with(*own)) continue;
    wait(s).precedes = older(other, s);
    return true;
  }
  return false;
}

void Comparer::place_as_new(std::size_t s, bool rotated, bool followed) {
  const SeenFile& seen = now_[s];
  // Its start is known from now on: a compressed copy of it may be found before it is read.
  if (rotated && head_of(s) == nullptr) return;
  if (is_compressed(seen.format)) {
    if (!followed) return add({ChangeKind::kSkipped, std::nullopt, s});
    if (seen.unreadable) return add({ChangeKind::kUnreadable, std::nullopt, s});
  } else if (seen.excluded || (!seen.named && !followed)) {
    return add({ChangeKind::kSkipped, std::nullopt, s});
  }
  Change change{ChangeKind::kNew, std::nullopt, s};
  change.fresh = seen.first_look && !followed;
  add(change);
}

// True where it was decided, or a question was asked.
bool Comparer::place_as_copy(std::size_t s) {
  const std::string* head = head_of(s);
  if (head == nullptr) return true;
  const std::vector<std::size_t> known = same_starts(*head);
  if (!ask_lengths(known, s)) return true;
  for (const std::size_t k : known) {
    switch (compare_contents(k, s)) {
      case Likeness::kAsked: return true;
      case Likeness::kDifferent: continue;
      case Likeness::kSame: return settle_copy(k, s);
      case Likeness::kBeginning: return settle_shorter_copy(k, s);
      case Likeness::kUnclear: wait(s); return true;
      case Likeness::kGrowing: wait(s).precedes = true; return true;
    }
  }
  return false;
}

// Asks for all that compare_contents() will want to know of `s` itself: a question in each round
// would take as many rounds as contents begin alike. The shortest first, so that one pass over the
// file answers them. False: asked.
bool Comparer::ask_lengths(const std::vector<std::size_t>& known, std::size_t s) {
  const bool plain = !is_compressed(now_[s].format);
  std::set<std::uint64_t> lengths;
  for (const std::size_t k : known)
    if (before_[k].crc_known && explained(k, s) &&
        !(plain && now_[s].stat.size < before_[k].offset))
      lengths.insert(before_[k].offset);
  bool answered = true;
  for (const std::uint64_t length : lengths) answered = crc_of(s, length) != nullptr && answered;
  return answered;
}

// Contents that begin like this. First those that are being read: until that is done nothing is
// sure, for a common header equals many contents. Then the one read furthest, and what was
// skipped behind all; of equal ones the one that is still followed, or its unfinished line would be
// read in both.
std::vector<std::size_t> Comparer::same_starts(std::string_view head) const {
  std::vector<std::size_t> found;
  for (const std::uint32_t length : prefix_lengths_) {
    if (length > head.size()) break;
    const auto at = by_prefix_.find(prefix_key(length, prefix_hash(head.substr(0, length))));
    if (at != by_prefix_.end()) found.insert(found.end(), at->second.begin(), at->second.end());
  }
  std::ranges::stable_sort(found, std::greater(), [&](std::size_t k) {
    const KnownContent& known = before_[k];
    return std::tuple(being_read(k), !skipped(known), known.offset, !known.finished);
  });
  return found;
}

// kSame: equal up to the position. kBeginning: the file is shorter than it, as far as it goes
// equal. kGrowing: it may be its rest that is being compressed.
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

// Of a skipped archive the start alone is known, which is all of it where it is short. What is made
// of it is left, too: unpacked as a whole, where the names tell of it, once nobody writes to it.
Comparer::Likeness Comparer::compare_skipped(std::size_t k, std::size_t s) {
  const std::uint32_t start = before_[k].identity.prefix_length;
  if (start < kPrefixBytes && head_of(s)->size() > start) return Likeness::kDifferent;
  if (is_compressed(now_[s].format))
    return explained(k, s) ? Likeness::kSame : Likeness::kDifferent;
  if (!rotation_of(k, s)) return Likeness::kDifferent;
  return now_[s].quiet ? Likeness::kBeginning : Likeness::kUnclear;
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

bool Comparer::settle_copy(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  if (being_read(k)) {
    Change& waits = wait(s);
    waits.precedes = read_before(k, s);
    waits.settles = !known.hidden;
    return true;
  }
  if (skipped(known)) {
    add_copy({ChangeKind::kDuplicate, k, s, known.offset, known.crc, false});
    return true;
  }
  if (!present(k)) {
    taken_[k] = s;
    settled_[k] = true;
    add_copy({ChangeKind::kResumed, k, s, known.offset, known.crc, known.crc_known});
    return true;
  }
  // The original is there too, and is what is read on. How much a compressed file holds is known
  // once it is read: it may be another content with the same header.
  const bool more = is_compressed(seen.format) || seen.stat.size > known.offset;
  // A log of its own that begins like it: it goes on growing, and past all that the other one
  // holds.
  if (!seen.quiet && seen.waited_long && more && !rotated(s)) return false;
  if (!seen.quiet) {
    wait(s).precedes = more;
    return true;
  }
  if (more) taken_[k] = s;  // copies of what is read on there wait for it
  add_copy({more ? ChangeKind::kResumed : ChangeKind::kDuplicate, k, s, known.offset, known.crc,
            known.crc_known});
  return true;
}

void Comparer::add_copy(Change change) {
  change.by_bytes = !rotation_of(*change.known, *change.seen);
  add(change);
}

bool Comparer::settle_shorter_copy(std::size_t k, std::size_t s) {
  Change change{ChangeKind::kDuplicate, k, s, before_[k].offset, 0, false};
  if (!is_compressed(now_[s].format)) {
    change.offset = now_[s].stat.size;
    const ContentCrc* const crc = crc_of(s, change.offset);
    if (crc == nullptr) return true;
    change.crc = crc->crc.value_or(0);
    change.crc_known = crc->crc.has_value();
  }
  add_copy(change);
  return true;
}

// Here or in the copy that was found of it, or maybe where nobody can look.
bool Comparer::being_read(std::size_t k) const {
  const KnownContent& known = before_[k];
  if (taken_[k] != kNone || known.draining) return true;
  if (!present(k)) return known.hidden;
  const SeenFile& seen = now_[seen_of_[k]];
  return is_compressed(seen.format) ? !known.complete : seen.stat.size > known.offset;
}

// Of what is being read: whether that is older than `s`. What has no name is.
bool Comparer::read_before(std::size_t k, std::size_t s) const {
  const std::size_t place = taken_[k] != kNone ? taken_[k] : seen_of_[k];
  return place == kNone || older(place, s);
}

}  // namespace edgehose
