#include "sinks/events/size_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace edgehose {
namespace {

constexpr std::string_view kNote = "max_raw_size=";
constexpr std::uint64_t kSmallest = 16 << 10;  // below it a limit is of something else

std::string note_of(std::uint64_t limit) { return fmt::format("{}{}", kNote, limit); }

}  // namespace

std::optional<std::uint64_t> noted_size_limit(const std::string& note) {
  if (!note.starts_with(kNote)) return std::nullopt;
  std::uint64_t limit = 0;
  const char* const end = note.data() + note.size();
  const auto read = std::from_chars(note.data() + kNote.size(), end, limit);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return limit;
}

std::optional<std::string> note_too_large(const std::string& note, std::uint64_t bytes) {
  if (bytes < kSmallest) return std::nullopt;
  const std::uint64_t limit = std::max(bytes / 2, kSmallest);
  if (noted_size_limit(note).value_or(UINT64_MAX) <= limit) return std::nullopt;
  return note_of(limit);
}

std::optional<std::string> note_taken(const std::string& note, std::uint64_t bytes) {
  const auto known = noted_size_limit(note);
  return known && *known < bytes ? std::optional(note_of(bytes)) : std::nullopt;
}

}  // namespace edgehose
