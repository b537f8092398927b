// Comparer: one run of compare() (rotation.h). Of its implementation only: files whose inode is
// known are followed in rotation.cpp, those never seen before are placed in placing.cpp, by what
// likeness.cpp tells of two contents.
//
// Threading: pure; made for one comparison.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "agent/sources/rotation.h"

namespace edgehose {

inline bool is_compressed(Format format) { return format != Format::kPlain; }

class Comparer {
 public:
  Comparer(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now);
  Comparison run();

 private:
  int rank(std::size_t s) const { return is_compressed(now_[s].format) ? 2 : rotated(s) ? 1 : 0; }

  // Files whose inode is known.
  void index_by_inode();
  bool same_file_system(std::size_t k, std::size_t s) const;
  bool match(std::size_t s, bool known_system);
  std::optional<bool> lives_at(std::size_t k, std::size_t s);
  std::optional<bool> written_over(std::size_t k, std::size_t s);
  bool is_the_logs_own(std::size_t k, std::size_t s) const;
  std::nullopt_t unclear_where(std::size_t k, std::size_t s);
  std::nullopt_t cannot_ask(std::size_t s);
  void follow(std::size_t k, std::size_t s);
  std::optional<bool> compressed_anew(std::size_t k, std::size_t s);
  void shorter(std::size_t k, std::size_t s);
  void replaced(std::size_t k, std::size_t s);

  // Files never seen before.
  void index_contents();
  void place(std::size_t s);
  bool begins_like_an_unread_one(std::size_t s, const std::string& family);
  void place_as_new(std::size_t s, bool rotated, bool followed);
  bool place_as_copy(std::size_t s);
  bool ask_lengths(const std::vector<std::size_t>& known, std::size_t s);
  std::vector<std::size_t> same_starts(std::string_view head) const;
  enum class Likeness { kAsked, kDifferent, kSame, kBeginning, kUnclear, kGrowing };
  Likeness compare_contents(std::size_t k, std::size_t s);
  // An archive that was there before its family was followed, and no byte of it read.
  static bool skipped(const KnownContent& known) { return known.complete && !known.crc_known; }
  Likeness compare_skipped(std::size_t k, std::size_t s);
  static bool restored(const KnownContent& known, const SeenFile& seen);
  bool put_back(std::size_t k, std::size_t s) const;
  Likeness compare_shorter(std::size_t k, std::size_t s);
  Likeness compare_by_marks(std::size_t k, std::size_t s);
  bool explained(std::size_t k, std::size_t s) const;
  bool rotation_of(std::size_t k, std::size_t s) const;
  bool begins_anew(std::size_t k, std::size_t s) const;
  bool next_in_series(std::string_view other, std::string_view path) const;
  bool settle_copy(std::size_t k, std::size_t s);
  void add_copy(Change change);
  bool settle_shorter_copy(std::size_t k, std::size_t s);
  bool present(std::size_t k) const { return seen_of_[k] != kNone; }
  bool being_read(std::size_t k) const;
  bool read_before(std::size_t k, std::size_t s) const;

  // Questions and answers.
  void wait_for_answer(std::size_t s);
  const std::string* head_of(std::size_t s);
  const ContentCrc* crc_of(std::size_t s, std::uint64_t length);
  void ask(const Question& question);
  Change& wait(std::size_t s);
  bool rotated(std::size_t s) const { return result_.rotated[s]; }
  bool older(std::size_t s, std::size_t other) const;
  void add(const Change& change) { result_.changes.push_back(change); }

  const std::vector<KnownContent>& before_;
  const std::vector<SeenFile>& now_;
  std::vector<std::size_t> seen_of_;  // by known: where it lives now
  std::vector<std::size_t> taken_;    // by known: the copy that resumes it
  std::vector<bool> settled_;         // by known: has its change
  std::unordered_multimap<std::uint64_t, std::size_t> by_inode_;
  std::unordered_set<std::string_view> known_paths_;
  std::unordered_set<std::string_view> paths_;  // these, and those of all files that were seen
  std::unordered_set<std::string> families_;
  // By family: plain files of whose content nothing was read.
  std::unordered_map<std::string, std::vector<std::size_t>> unread_;
  std::set<std::uint32_t> prefix_lengths_;
  std::map<std::pair<std::uint32_t, PrefixHash>, std::vector<std::size_t>> by_prefix_;
  bool postponed_ = false;  // the question at hand
  Comparison result_;

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

}  // namespace edgehose
