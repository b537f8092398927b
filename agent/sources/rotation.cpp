#include "agent/sources/rotation.h"

#include <algorithm>

#include "agent/sources/comparer.h"

namespace edgehose {

Comparer::Comparer(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now)
    : before_(before),
      now_(now),
      seen_of_(before.size(), kNone),
      taken_(before.size(), kNone),
      settled_(before.size(), false) {
  for (const KnownContent& known : before_) known_paths_.insert(known.path);
  paths_ = known_paths_;
  for (const SeenFile& seen : now_) paths_.insert(seen.path);
  for (const SeenFile& seen : now_)
    result_.rotated.push_back(
        has_rotated_name(seen.path) &&
        (!seen.named || is_compressed(seen.format) || paths_.contains(family_of(seen.path))));
}

Comparison Comparer::run() {
  index_by_inode();
  // Where it was before all: another file system may give the same numbers.
  std::vector<std::size_t> strangers, unmatched;
  for (std::size_t s = 0; s < now_.size(); ++s) {
    if (!match(s, true)) strangers.push_back(s);
    wait_for_answer(s);
  }
  for (const std::size_t s : strangers) {
    if (!match(s, false)) unmatched.push_back(s);
    wait_for_answer(s);
  }
  // Originals before their copies, then the oldest first.
  std::stable_sort(unmatched.begin(), unmatched.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(rank(a), now_[a].stat.mtime_ns) < std::pair(rank(b), now_[b].stat.mtime_ns);
  });
  if (!unmatched.empty()) index_contents();
  for (const std::size_t s : unmatched) {
    place(s);
    wait_for_answer(s);
  }
  for (std::size_t k = 0; k < before_.size(); ++k)
    if (!before_[k].finished && !settled_[k] && !before_[k].hidden)
      add({ChangeKind::kGone, k, std::nullopt});
  if (!result_.questions.empty()) result_.changes.clear();
  return std::move(result_);
}

// --- files whose inode is known ------------------------------------------------------------------

void Comparer::index_by_inode() {
  for (std::size_t k = 0; k < before_.size(); ++k) by_inode_.emplace(before_[k].identity.inode, k);
}

// Finds the content that lives at this inode, of the same file system or of another one; false:
// none does.
bool Comparer::match(std::size_t s, bool known_system) {
  const FileStat& stat = now_[s].stat;
  const auto [first, last] = by_inode_.equal_range(stat.inode);
  std::vector<std::size_t> candidates;
  for (auto it = first; it != last; ++it)
    if (seen_of_[it->second] == kNone && same_inode(before_[it->second].identity, stat) &&
        same_file_system(it->second, s) == known_system)
      candidates.push_back(it->second);
  std::stable_partition(candidates.begin(), candidates.end(),
                        [&](std::size_t k) { return !before_[k].finished; });
  for (const std::size_t k : candidates) {
    const std::optional<bool> same = lives_at(k, s);
    if (!same) return true;  // a question was asked
    if (!*same) continue;
    const std::optional<bool> over = written_over(k, s);
    if (!over) {
      unclear_where(k, s);
      return true;
    }
    if (!*over) {
      follow(k, s);
      return true;
    }
    if (!before_[k].finished) add({ChangeKind::kOverwritten, k, s});
    settled_[k] = true;
  }
  return false;
}

// Those that have no id cannot be told apart, and two small volumes give the same inode numbers:
// there the number counts within its directory only.
bool Comparer::same_file_system(std::size_t k, std::size_t s) const {
  const SeenFile& seen = now_[s];
  if (before_[k].identity.filesystem != seen.stat.filesystem) return false;
  return seen.stat.numbered || directory_of(before_[k].path) == directory_of(seen.path);
}

// None: asked.
std::optional<bool> Comparer::lives_at(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  if (!known.finished && same_file_system(k, s)) return true;
  // The number alone proves nothing: another file system, or one that was gone before.
  if (known.identity.prefix_length == 0) return false;
  if (now_[s].unopened) return cannot_ask(s);
  const std::string* head = head_of(s);
  if (head == nullptr) return unclear_where(k, s);
  if (!same_start(known.identity, *head)) return false;
  if (is_compressed(now_[s].format) || !known.crc_known) return true;
  if (now_[s].stat.size < known.offset) return false;
  const auto crc = crc_of(s, known.offset);
  if (!crc) return unclear_where(k, s);
  return crc->crc == known.crc;
}

// Until the answer is there nothing else may take the content over.
std::nullopt_t Comparer::unclear_where(std::size_t k, std::size_t s) {
  settled_[k] = true;
  taken_[k] = s;
  return std::nullopt;
}

std::nullopt_t Comparer::cannot_ask(std::size_t s) {
  wait(s).settles = false;
  return std::nullopt;
}

void Comparer::follow(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  seen_of_[k] = s;
  if (is_compressed(seen.format)) {
    const auto changed = compressed_anew(k, s);
    if (!changed) {
      unclear_where(k, s);
      return;
    }
    if (*changed) return replaced(k, s);
  } else {
    if (seen.stat.size < known.offset) return shorter(k, s);
    if (known.suspect || (known.empty && rotated(s) && seen.stat.size > 0)) return replaced(k, s);
    if (known.doubtful && known.crc_known && !seen.unopened) {
      const auto crc = crc_of(s, known.offset);
      if (!crc) {
        unclear_where(k, s);
        return;
      }
      if (crc->crc != known.crc) return replaced(k, s);
    }
    if (known.identity.prefix_length == 0) unread_[family_of(seen.path)].push_back(s);
  }
  settled_[k] = true;
  add({seen.path == known.path ? ChangeKind::kSame : ChangeKind::kRenamed, k, s});
}

// Whether a compressed file holds another content by now, or the same and more. None: asked. What
// it held is told by its bytes alone once its size or its time changed, or where nothing but its
// inode's number tells that it is the file that was known.
std::optional<bool> Comparer::compressed_anew(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  const SeenFile& seen = now_[s];
  const bool as_it_was =
      known.mtime_ns == 0 || (known.mtime_ns == seen.stat.mtime_ns && known.size == seen.stat.size);
  if (seen.unopened || !known.crc_known || (known.compressed && as_it_was)) return false;
  const auto crc = crc_of(s, known.offset);
  if (!crc) return std::nullopt;
  return crc->crc != known.crc;
}

// Shorter than its position: truncated, unless a power cut can explain it.
void Comparer::shorter(std::size_t k, std::size_t s) {
  const KnownContent& known = before_[k];
  if (known.same_boot || known.identity.prefix_length == 0) return replaced(k, s);
  if (now_[s].unopened) {
    settled_[k] = true;
    wait(s).settles = false;
    return;
  }
  const std::string* head = head_of(s);
  if (head != nullptr && !same_start(known.identity, *head)) return replaced(k, s);
  const auto crc = head != nullptr ? crc_of(s, now_[s].stat.size) : nullptr;
  if (!crc) {
    unclear_where(k, s);
    return;
  }
  settled_[k] = true;
  add({ChangeKind::kTailLost, k, s, now_[s].stat.size, crc->crc.value_or(0), crc->crc.has_value()});
}

// What is written over a rotation is a copy of a content that was followed, as a rule: to be
// compared once it stands still. Into an empty one its own writer may go on, if that was slow to
// reopen. A log begins anew.
void Comparer::replaced(std::size_t k, std::size_t s) {
  seen_of_[k] = kNone;
  settled_[k] = true;
  if (rotated(s)) {
    add({ChangeKind::kOverwritten, k, s});
    wait(s).precedes = before_[k].empty;
    return;
  }
  unread_[family_of(now_[s].path)].push_back(s);
  add({ChangeKind::kTruncated, k, s});
}

// --- questions and answers -----------------------------------------------------------------------

// What could not be asked yet: `s` waits for it.
void Comparer::wait_for_answer(std::size_t s) {
  if (std::exchange(postponed_, false)) wait(s).precedes = rotated(s);
}

// Null: asked. An unreadable file has an empty head.
const std::string* Comparer::head_of(std::size_t s) {
  static const std::string kEmpty;
  if (now_[s].unreadable) return &kEmpty;
  if (now_[s].head) return &*now_[s].head;
  ask({s, std::nullopt});
  return nullptr;
}

const ContentCrc* Comparer::crc_of(std::size_t s, std::uint64_t length) {
  static const ContentCrc kUnknown;
  if (now_[s].unreadable) return &kUnknown;
  for (const ContentCrc& crc : now_[s].crcs)
    if (crc.length == length) return &crc;
  ask({s, length});
  return nullptr;
}

void Comparer::ask(const Question& question) {
  if (now_[question.seen].hashing || now_[question.seen].unopened) {
    postponed_ = true;
    return;
  }
  auto& all = result_.questions;
  if (std::find(all.begin(), all.end(), question) == all.end()) all.push_back(question);
}

Change& Comparer::wait(std::size_t s) {
  add({ChangeKind::kWait, std::nullopt, s});
  return result_.changes.back();
}

bool Comparer::older(std::size_t s, std::size_t other) const {
  return now_[s].stat.mtime_ns <= now_[other].stat.mtime_ns;
}

Comparison compare(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now) {
  return Comparer(before, now).run();
}

}  // namespace edgehose
