#include "agent/commands/letter_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "agent/base/text.h"
#include "agent/commands/layout.h"

namespace edgehose {
namespace {

constexpr std::size_t kShortWord = 4;  // "404," says what went wrong; a longer word is an id

// What refusals for one cause have in common.
std::string kind_of(const std::string& reason) {
  std::string kind;
  std::istringstream words(reason);
  for (std::string word; words >> word;)
    if (word.size() <= kShortWord || word.find_first_of("0123456789") == std::string::npos)
      kind += word + ' ';
  return kind;
}

}  // namespace

void LetterGroups::add(const std::string& sink, const DeadLetter& letter) {
  const auto key = std::pair(sink, kind_of(letter.reason));
  auto found = groups_.find(key);
  if (found == groups_.end()) {
    if (groups_.size() == kMaxGroups) return void(++others_);
    found = groups_.emplace(key, Group{}).first;
    found->second.oldest = letter.given_up;
  }
  Group& group = found->second;
  ++group.letters;
  group.bytes += letter.size().bytes;
  group.oldest = std::min(group.oldest, letter.given_up);
  if (letter.given_up < group.newest) return;
  group.newest = letter.given_up;
  group.newest_id = letter.id;
  group.reason = letter.reason;
}

std::string LetterGroups::text() const {
  std::vector<std::pair<std::string, const Group*>> rows;
  for (const auto& [key, group] : groups_) rows.emplace_back(key.first, &group);
  std::ranges::stable_sort(
      rows, [](const auto& a, const auto& b) { return a.second->letters > b.second->letters; });
  std::string out = fmt::format("{:>8}  {:<14}  {:>9}  {:<20}  {}\n", "LETTERS", "SINK", "SIZE",
                                "OLDEST", "NEWEST");
  if (rows.empty()) out += "none\n";
  for (const auto& [sink, group] : rows)
    out += fmt::format(
        "{:>8}  {:<14}  {:>9}  {:<20}  {}\n{:10}{}{:10}edgehose dead-letters "
        "show {}\n",
        format_count(group->letters), clipped(printable(sink), 14), format_size(group->bytes),
        format_wall(group->oldest), format_wall(group->newest), "",
        wrapped(printable(group->reason), 10), "", group->newest_id);
  if (others_ > 0)
    out += fmt::format("{:>8}  for other reasons: see --all\n", format_count(others_));
  return out;
}

}  // namespace edgehose
