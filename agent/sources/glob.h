// Glob: a pattern of paths.
//
//   *      any characters of one name          ?      one character of a name
//   [a-z]  one of these, [!a-z] none of them   **     as a whole segment: any directories, also
//   none \x     x itself
//
// As in a shell a name that begins with '.' is matched only by a pattern that says the dot.
// Threading: values; no shared state. Linear time in practice: each '*' backtracks over one name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

// As a whole segment.
inline constexpr std::string_view kAnyDirectories = "**";

class Glob {
 public:
  // An absolute pattern. kInvalid: relative, empty, or an unclosed '['.
  static Result<Glob> parse(std::string_view pattern);

  bool matches(std::string_view path) const;
  const std::string& text() const { return text_; }
  // The part before the first segment with a wildcard: where a walk begins.
  const std::string& base() const { return base_; }
  // The segments after base(); the last one names files.
  const std::vector<std::string>& segments() const { return segments_; }

 private:
  std::string text_, base_;
  std::vector<std::string> segments_;
};

// One name against one segment. `hidden`: wildcards also match a leading '.'.
bool match_name(std::string_view pattern, std::string_view name, bool hidden = false);

// An exclusion: without '/' it is matched with the file's name, else with its whole path.
bool excluded(const std::vector<std::string>& patterns, std::string_view path);
Status check_exclusion(std::string_view pattern);

}  // namespace edgehose
