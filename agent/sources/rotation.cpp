#include "agent/sources/rotation.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace edgehose {
namespace {

// So much equal content is no accident; less must be explained by the names.
constexpr std::uint64_t kStrongEvidence = kPrefixBytes;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_compressed(Format format) { return format != Format::kPlain; }

std::string prefix_key(std::uint32_t length, const PrefixHash& hash) {
  std::string key(reinterpret_cast<const char*>(hash.data()), hash.size());
  key.append(reinterpret_cast<const char*>(&length), sizeof length);
  return key;
}

class Comparer {
 public:
  Comparer(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now)
      : before_(before),
        now_(now),
        seen_of_(before.size(), kNone),
        taken_(before.size(), kNone),
        settled_(before.size(), false) {
    std::unordered_set<std::string_view> paths;
    for (const KnownContent& known : before_) paths.insert(known.path);
    for (const SeenFile& seen : now_) paths.insert(seen.path);
    for (const SeenFile& seen : now_)
      result_.rotated.push_back(
          has_rotated_name(seen.path) &&
          (!seen.named || is_compressed(seen.format) || paths.contains(family_of(seen.path))));
  }

  Comparison run() {
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
    if (!unmatched.empty()) index_families();
    for (const std::size_t s : unmatched) {
      place(s);
      wait_for_answer(s);
    }
    for (std::size_t k = 0; k < before_.size(); ++k)
      if (!before_[k].finished && !settled_[k]) add({ChangeKind::kGone, k, std::nullopt});
    if (!result_.questions.empty()) result_.changes.clear();
    return std::move(result_);
  }

 private:
  int rank(std::size_t s) const { return is_compressed(now_[s].format) ? 2 : rotated(s) ? 1 : 0; }

  // --- files whose inode is known ---------------------------------------------------------------

  void index_by_inode() {
    for (std::size_t k = 0; k < before_.size(); ++k)
      by_inode_.emplace(before_[k].identity.inode, k);
  }

  // Finds the content that lives at this inode, of the same file system or of another one; false:
  // none does.
  bool match(std::size_t s, bool same_file_system) {
    const FileStat& stat = now_[s].stat;
    const auto [first, last] = by_inode_.equal_range(stat.inode);
    std::vector<std::size_t> candidates;
    for (auto it = first; it != last; ++it)
      if (seen_of_[it->second] == kNone && same_inode(before_[it->second].identity, stat) &&
          (before_[it->second].identity.filesystem == stat.filesystem) == same_file_system)
        candidates.push_back(it->second);
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](std::size_t k) { return !before_[k].finished; });
    for (const std::size_t k : candidates) {
      const std::optional<bool> same = lives_at(k, s);
      if (!same) return true;  // a question was asked
      if (*same) {
        follow(k, s);
        return true;
      }
    }
    return false;
  }

  // None: asked.
  std::optional<bool> lives_at(std::size_t k, std::size_t s) {
    const KnownContent& known = before_[k];
    if (!known.finished && known.identity.filesystem == now_[s].stat.filesystem) return true;
    // The number alone proves nothing: another file system, or one that was gone before.
    if (known.identity.prefix_length == 0) return false;
    if (now_[s].unopened) return cannot_ask(s);
    const std::string* head = head_of(s);
    if (head == nullptr) return std::nullopt;
    if (!same_start(known.identity, *head)) return false;
    if (is_compressed(now_[s].format) || !known.crc_known) return true;
    if (now_[s].stat.size < known.offset) return false;
    const auto crc = crc_of(s, known.offset);
    if (!crc) return unclear_where(k, s);
    return crc->crc == known.crc;
  }

  // Until the answer is there nothing else may take the content over.
  std::nullopt_t unclear_where(std::size_t k, std::size_t s) {
    settled_[k] = true;
    taken_[k] = s;
    return std::nullopt;
  }

  std::nullopt_t cannot_ask(std::size_t s) {
    wait(s).settles = false;
    return std::nullopt;
  }

  void follow(std::size_t k, std::size_t s) {
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
  std::optional<bool> compressed_anew(std::size_t k, std::size_t s) {
    const KnownContent& known = before_[k];
    const SeenFile& seen = now_[s];
    const bool as_it_was = known.compressed &&
                           (known.mtime_ns == 0 || known.crc_known == false ||
                            (known.mtime_ns == seen.stat.mtime_ns && known.size == seen.stat.size));
    if (as_it_was || seen.unopened || !known.crc_known) return false;
    const auto crc = crc_of(s, known.offset);
    if (!crc) return std::nullopt;
    return crc->crc != known.crc;
  }

  // Shorter than its position: truncated, unless a power cut can explain it.
  void shorter(std::size_t k, std::size_t s) {
    const KnownContent& known = before_[k];
    if (known.same_boot || known.identity.prefix_length == 0) return replaced(k, s);
    if (now_[s].unopened) {
      settled_[k] = true;
      wait(s).settles = false;
      return;
    }
    const std::string* head = head_of(s);
    if (head == nullptr) return;
    if (!same_start(known.identity, *head)) return replaced(k, s);
    const auto crc = crc_of(s, now_[s].stat.size);
    if (!crc) {
      unclear_where(k, s);
      return;
    }
    settled_[k] = true;
    add({ChangeKind::kTailLost, k, s, now_[s].stat.size, crc->crc.value_or(0),
         crc->crc.has_value()});
  }

  // What is written over a rotation is a copy of a content that was followed, as a rule: to be
  // compared once it stands still. A log begins anew.
  void replaced(std::size_t k, std::size_t s) {
    seen_of_[k] = kNone;
    settled_[k] = true;
    if (rotated(s)) {
      add({ChangeKind::kOverwritten, k, s});
      wait(s);
      return;
    }
    unread_[family_of(now_[s].path)].push_back(s);
    add({ChangeKind::kTruncated, k, s});
  }

  // --- files never seen before ------------------------------------------------------------------

  void index_families() {
    for (std::size_t k = 0; k < before_.size(); ++k) {
      const KnownContent& known = before_[k];
      families_.insert(family_of(known.path));
      if (known.identity.prefix_length == 0) continue;
      prefix_lengths_.insert(known.identity.prefix_length);
      by_prefix_[prefix_key(known.identity.prefix_length, known.identity.prefix_hash)].push_back(k);
    }
  }

  void place(std::size_t s) {
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
  bool begins_like_an_unread_one(std::size_t s, const std::string& family) {
    const auto others = unread_.find(family);
    if (others == unread_.end()) return false;
    const std::string* own = head_of(s);
    if (own == nullptr) return true;
    for (const std::size_t other : others->second) {
      const std::string* head = head_of(other);
      if (head == nullptr) return true;
      // A copy holds no more than its original.
      const bool longer =
          !is_compressed(now_[s].format) && now_[s].stat.size > now_[other].stat.size;
      if (own->empty() || longer || !head->starts_with(*own)) continue;
      wait(s).precedes = older(other, s);
      return true;
    }
    return false;
  }

  void place_as_new(std::size_t s, bool rotated, bool followed) {
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
  bool place_as_copy(std::size_t s) {
    const std::string* head = head_of(s);
    if (head == nullptr) return true;
    for (const std::size_t k : same_starts(*head)) {
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

  // Contents that begin like this. First those that are being read: until that is done nothing is
  // sure, for a common header equals many contents. Then the one read furthest; of equal ones the
  // one that is still followed, or its unfinished line would be read in both.
  std::vector<std::size_t> same_starts(std::string_view head) const {
    std::vector<std::size_t> found;
    for (const std::uint32_t length : prefix_lengths_) {
      if (length > head.size()) break;
      const auto at = by_prefix_.find(prefix_key(length, prefix_hash(head.substr(0, length))));
      if (at != by_prefix_.end()) found.insert(found.end(), at->second.begin(), at->second.end());
    }
    std::stable_sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(being_read(a), before_[a].offset, !before_[a].finished) >
             std::tuple(being_read(b), before_[b].offset, !before_[b].finished);
    });
    return found;
  }

  enum class Likeness { kAsked, kDifferent, kSame, kBeginning, kUnclear, kGrowing };

  // kSame: equal up to the position. kBeginning: the file is shorter than it, as far as it goes
  // equal. kGrowing: it may be its rest that is being compressed.
  Likeness compare_contents(std::size_t k, std::size_t s) {
    const KnownContent& known = before_[k];
    const SeenFile& seen = now_[s];
    if (!explained(known, s, present(k))) return Likeness::kDifferent;
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

  // What was restored under its name while nobody looked, as log2ram does at boot, kept its time.
  // What is newer was written anew, unless the last lines before the boot are behind what was read.
  static bool restored(const KnownContent& known, const SeenFile& seen) {
    if (!seen.first_look || known.path != seen.path) return false;
    const bool time_kept = known.mtime_ns != 0 && seen.stat.mtime_ns <= known.mtime_ns;
    if (known.same_boot) return time_kept;
    return time_kept || known.mtime_ns == 0 || seen.stat.size > known.offset;
  }

  // A file that is shorter than what was read of a content that is gone is compared up to the last
  // mark in it. Where there is none it cannot be: headers are shared, and what is taken for read is
  // lost. So its start alone is believed only of an earlier state that a boot has put back.
  bool put_back(std::size_t k, std::size_t s) const {
    const KnownContent& known = before_[k];
    return !known.same_boot && known.identity.prefix_length == kPrefixBytes &&
           restored(known, now_[s]);
  }

  Likeness compare_shorter(std::size_t k, std::size_t s) {
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
  Likeness compare_by_marks(std::size_t k, std::size_t s) {
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

  bool explained(const KnownContent& known, std::size_t s, bool is_present) const {
    const SeenFile& seen = now_[s];
    if (known.offset >= kStrongEvidence && known.identity.prefix_length == kPrefixBytes)
      return true;
    if (!is_present && restored(known, seen)) return true;
    return rotated(s) && family_of(known.path) == family_of(seen.path);
  }

  bool settle_copy(std::size_t k, std::size_t s) {
    const KnownContent& known = before_[k];
    const SeenFile& seen = now_[s];
    if (being_read(k)) {
      wait(s).precedes = read_before(k, s);
      return true;
    }
    if (known.complete && !known.crc_known) {  // skipped: no position inside it is known
      add({ChangeKind::kDuplicate, k, s, known.offset, known.crc, false});
      return true;
    }
    if (!present(k)) {
      taken_[k] = s;
      settled_[k] = true;
      add({ChangeKind::kResumed, k, s, known.offset, known.crc, known.crc_known});
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
    add({more ? ChangeKind::kResumed : ChangeKind::kDuplicate, k, s, known.offset, known.crc,
         known.crc_known});
    return true;
  }

  bool settle_shorter_copy(std::size_t k, std::size_t s) {
    const bool compressed = is_compressed(now_[s].format);
    Change change{ChangeKind::kDuplicate, k, s};
    change.offset = compressed ? before_[k].offset : now_[s].stat.size;
    const ContentCrc* crc = compressed ? nullptr : crc_of(s, change.offset);
    change.crc_known = crc != nullptr && crc->crc.has_value();
    if (change.crc_known) change.crc = *crc->crc;
    add(change);
    return true;
  }

  bool present(std::size_t k) const { return seen_of_[k] != kNone; }

  // Here or in the copy that was found of it.
  bool being_read(std::size_t k) const {
    const KnownContent& known = before_[k];
    if (taken_[k] != kNone || known.draining) return true;
    if (!present(k)) return false;
    const SeenFile& seen = now_[seen_of_[k]];
    return is_compressed(seen.format) ? !known.complete : seen.stat.size > known.offset;
  }

  // Of what is being read: whether that is older than `s`. What has no name is.
  bool read_before(std::size_t k, std::size_t s) const {
    const std::size_t place = taken_[k] != kNone ? taken_[k] : seen_of_[k];
    return place == kNone || older(place, s);
  }

  // --- questions and answers --------------------------------------------------------------------

  // What could not be asked yet: `s` waits for it.
  void wait_for_answer(std::size_t s) {
    if (std::exchange(postponed_, false)) wait(s).precedes = rotated(s);
  }

  // Null: asked. An unreadable file has an empty head.
  const std::string* head_of(std::size_t s) {
    static const std::string kEmpty;
    if (now_[s].unreadable) return &kEmpty;
    if (now_[s].head) return &*now_[s].head;
    ask({s, std::nullopt});
    return nullptr;
  }

  const ContentCrc* crc_of(std::size_t s, std::uint64_t length) {
    static const ContentCrc kUnknown;
    if (now_[s].unreadable) return &kUnknown;
    for (const ContentCrc& crc : now_[s].crcs)
      if (crc.length == length) return &crc;
    if (now_[s].hashing)
      postponed_ = true;
    else
      ask({s, length});
    return nullptr;
  }

  void ask(const Question& question) {
    auto& all = result_.questions;
    if (std::find(all.begin(), all.end(), question) == all.end()) all.push_back(question);
  }

  Change& wait(std::size_t s) {
    add({ChangeKind::kWait, std::nullopt, s});
    return result_.changes.back();
  }
  bool rotated(std::size_t s) const { return result_.rotated[s]; }
  bool older(std::size_t s, std::size_t other) const {
    return now_[s].stat.mtime_ns <= now_[other].stat.mtime_ns;
  }
  void add(const Change& change) { result_.changes.push_back(change); }

  const std::vector<KnownContent>& before_;
  const std::vector<SeenFile>& now_;
  std::vector<std::size_t> seen_of_;  // by known: where it lives now
  std::vector<std::size_t> taken_;    // by known: the copy that resumes it
  std::vector<bool> settled_;         // by known: has its change
  std::unordered_multimap<std::uint64_t, std::size_t> by_inode_;
  std::unordered_set<std::string> families_;
  // By family: plain files of whose content nothing was read.
  std::unordered_map<std::string, std::vector<std::size_t>> unread_;
  std::set<std::uint32_t> prefix_lengths_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_prefix_;
  bool postponed_ = false;  // the question at hand
  Comparison result_;
};

}  // namespace

Comparison compare(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now) {
  return Comparer(before, now).run();
}

}  // namespace edgehose
