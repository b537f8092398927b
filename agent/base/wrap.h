// Text broken into lines for a terminal of 80 columns. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace edgehose {

// Without what could move the cursor or end the line: control characters become '?'. For words of
// others (servers, file names) on a terminal or in the log.
std::string printable(std::string_view text);

constexpr std::size_t kColumns = 80;

// What becomes of a word that is longer than a line.
enum class LongWords {
  kBroken,  // at a '/' or anywhere
  kKept,    // in one piece: paths and commands are copied
};

// `text` broken at spaces, so that every line ends before column 80 (bytes, so earlier where
// characters have several); each line but the first, which starts where it stands (at column
// `indent`), begins with `indent` spaces. Ends in a line feed.
std::string wrapped(std::string_view text, std::size_t indent,
                    LongWords long_words = LongWords::kBroken);

// How many bytes of `text`, at most `width`, cut no character in two.
std::size_t whole_characters(std::string_view text, std::size_t width);

}  // namespace edgehose
