#include "agent/sources/glob.h"

#include <span>

namespace edgehose {
namespace {

bool has_wildcard(std::string_view segment) {
  return segment.find_first_of("*?[\\") != std::string_view::npos;
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    if (end != 0) segments.emplace_back(path.substr(0, end));
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  return segments;
}

// The length of the bracket expression at the start of `pattern`, 0 where it is not closed.
std::size_t bracket_length(std::string_view pattern) {
  std::size_t i = 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  while (i < pattern.size() && pattern[i] != ']') ++i;
  return i < pattern.size() ? i + 1 : 0;
}

bool in_bracket(std::string_view bracket, char c) {
  std::string_view set = bracket.substr(1, bracket.size() - 2);
  const bool negated = !set.empty() && (set[0] == '!' || set[0] == '^');
  if (negated) set.remove_prefix(1);
  const auto byte = static_cast<unsigned char>(c);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto low = static_cast<unsigned char>(set[i]);
    auto high = low;
    if (i + 2 < set.size() && set[i + 1] == '-') {
      high = static_cast<unsigned char>(set[i + 2]);
      i += 2;
    }
    found = found || (low <= byte && byte <= high);
  }
  return found != negated;
}

// How much of `pattern` matches the one character c; 0: it does not.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    const std::size_t length = bracket_length(pattern);
    return length > 0 && in_bracket(pattern.substr(0, length), c) ? length : 0;
  }
  if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? 2 : 0;
  return pattern[0] == c ? 1 : 0;
}

bool match_segments(std::span<const std::string> pattern, std::span<const std::string> path,
                    bool hidden) {
  if (pattern.empty()) return path.empty();
  if (pattern[0] == kAnyDirectories) {
    if (match_segments(pattern.subspan(1), path, hidden)) return true;
    return !path.empty() && (hidden || path[0][0] != '.') &&
           match_segments(pattern, path.subspan(1), hidden);
  }
  return !path.empty() && match_name(pattern[0], path[0], hidden) &&
         match_segments(pattern.subspan(1), path.subspan(1), hidden);
}

Status check_brackets(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      const std::size_t length = bracket_length(pattern.substr(i));
      if (length == 0)
        return fail(ErrorCode::kInvalid, "the glob '{}' has a '[' without its ']'", pattern);
      i += length - 1;
    }
  }
  return {};
}

}  // namespace

bool match_name(std::string_view pattern, std::string_view name, bool hidden) {
  if (!hidden && !name.empty() && name[0] == '.' && !pattern.empty() && pattern[0] != '.' &&
      pattern[0] != '\\')
    return false;
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      retry = n;
      continue;
    }
    if (const std::size_t used = match_one(pattern.substr(p), name[n]); used > 0) {
      p += used;
      ++n;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star;
    n = ++retry;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<Glob> Glob::parse(std::string_view pattern) {
  if (pattern.empty() || pattern[0] != '/')
    return fail(ErrorCode::kInvalid, "the path '{}' is not absolute: begin it with '/'", pattern);
  EH_TRY(check_brackets(pattern));
  std::vector<std::string> all = split(pattern);
  if (all.empty() || pattern.back() == '/')
    return fail(
        ErrorCode::kInvalid,
        "the path '{0}' names a directory: write '{0}*.log', or '{0}**' for all files below it",
        pattern);
  if (all.back() == kAnyDirectories) all.emplace_back("*");

  Glob glob;
  glob.text_ = pattern;
  std::size_t literal = 0;
  while (literal + 1 < all.size() && !has_wildcard(all[literal]))
    glob.base_ += "/" + all[literal++];
  if (glob.base_.empty()) glob.base_ = "/";
  glob.segments_.assign(all.begin() + static_cast<std::ptrdiff_t>(literal), all.end());
  return glob;
}

bool Glob::matches(std::string_view path) const {
  const std::string_view prefix = base_ == "/" ? std::string_view() : std::string_view(base_);
  if (!path.starts_with(prefix) || path.size() <= prefix.size() || path[prefix.size()] != '/')
    return false;
  const std::vector<std::string> rest = split(path.substr(prefix.size()));
  return match_segments(segments_, rest, false);
}

bool excluded(const std::vector<std::string>& patterns, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string& pattern : patterns) {
    if (pattern.find('/') == std::string::npos) {
      if (match_name(pattern, name, true)) return true;
    } else if (match_segments(split(pattern), split(path), true)) {
      return true;
    }
  }
  return false;
}

Status check_exclusion(std::string_view pattern) {
  if (pattern.empty())
    return fail(ErrorCode::kInvalid, "an empty glob excludes nothing: remove it");
  return check_brackets(pattern);
}

}  // namespace edgehose
