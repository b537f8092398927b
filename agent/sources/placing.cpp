// Files never seen before: a copy of a known content, a rotation that came and went, or a new log.
#include <algorithm>
#include <functional>
#include <tuple>

#include "agent/sources/comparer.h"

namespace edgehose {

void Comparer::index_contents() {
  if (!families_.empty()) return;
  for (std::size_t k = 0; k < before_.size(); ++k) {
    const KnownContent& known = before_[k];
    families_.insert(family_of(known.path));
    if (known.identity.prefix_length == 0) continue;
    prefix_lengths_.insert(known.identity.prefix_length);
    by_prefix_[{known.identity.prefix_length, known.identity.prefix_hash}].push_back(k);
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
  // Before anything that was known: its header may be equal to that of a content that is gone. What
  // was there before its family was followed is not read, whatever it begins like.
  const bool noted = !followed && (is_compressed(seen.format) || !seen.named);
  if (rotated && !noted && begins_like_an_unread_one(s, family)) return;
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
    const auto at = by_prefix_.find({length, prefix_hash(head.substr(0, length))});
    if (at != by_prefix_.end()) found.insert(found.end(), at->second.begin(), at->second.end());
  }
  std::ranges::stable_sort(found, std::greater(), [&](std::size_t k) {
    const KnownContent& known = before_[k];
    return std::tuple(being_read(k), !skipped(known), known.offset, !known.finished);
  });
  return found;
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
  change.by_start = skipped(before_[*change.known]);
  change.by_bytes = !change.by_start && !rotation_of(*change.known, *change.seen);
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
  if (taken_[k] != kNone) return true;
  if (!present(k)) return known.draining || known.hidden;
  const SeenFile& seen = now_[seen_of_[k]];
  return is_compressed(seen.format) ? !known.complete : seen.stat.size > known.offset;
}

// Of what is being read: whether that is older than `s`. What has no name is.
bool Comparer::read_before(std::size_t k, std::size_t s) const {
  const std::size_t place = taken_[k] != kNone ? taken_[k] : seen_of_[k];
  return place == kNone || older(place, s);
}

}  // namespace edgehose
