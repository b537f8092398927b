// Text as roff, the language of man pages (groff's man macros). Pure; every result but `roff` and
// `roff_marked` ends in a line feed.
#pragma once

#include <string>
#include <string_view>

namespace edgehose {

// Every character means itself: quotes, hyphens and backslashes are those that are typed.
std::string roff(std::string_view text);
// The same, with `code` and **strong** in bold.
std::string roff_marked(std::string_view markdown);

// Paragraphs parted by empty lines. Where a line is indented, its paragraph keeps its lines.
std::string roff_paragraphs(std::string_view text);
// Lines as they are, indented: commands.
std::string roff_example(std::string_view lines);
// "TERM" on a line of its own, what it means below it, indented. Both are roff.
std::string roff_tagged(const std::string& term, const std::string& meaning);
// ".SH NAME"; also the beginning of a page, ".TH".
std::string roff_section(std::string_view title);
std::string roff_title(std::string_view page, int section);

}  // namespace edgehose
