// LetterGroups: dead letters summed up by sink and reason, for a person who wants to know what
// went wrong before looking at single ones.
//
// Threading: a value. Bounded: kMaxGroups groups; letters of any more reasons are counted together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "buffer/state.h"

namespace edgehose {

class LetterGroups {
 public:
  static constexpr std::size_t kMaxGroups = 50;

  // Reasons that differ in ids and times alone count as one, and the newest of them is shown, with
  // the number of its letter.
  void add(const std::string& sink, const DeadLetter& letter);
  // Lines for 80 columns, the largest group first; "none" without a letter.
  std::string text() const;

 private:
  struct Group {
    std::uint64_t letters = 0, bytes = 0;
    WallTime oldest, newest;
    std::uint64_t newest_id = 0;  // the letter whose reason is shown
    std::string reason;
  };
  std::map<std::pair<std::string, std::string>, Group> groups_;  // by sink and kind of reason
  std::uint64_t others_ = 0;
};

}  // namespace edgehose
