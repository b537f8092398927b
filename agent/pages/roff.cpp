#include "agent/pages/roff.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/base/version.h"

namespace edgehose {
namespace {

// What roff would take for a typographic sign, by the name of the one that is typed.
std::string_view named(char c) {
  switch (c) {
    case '\\': return "\\(rs";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '"': return "\\(dq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    default: return "";
  }
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

// A line that begins so would be a request.
std::string guarded(const std::string& line) { return line.starts_with('.') ? "\\&" + line : line; }

template <class Each>
void each_line(std::string_view text, Each each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string kept_lines(std::string_view lines) {
  std::string out = ".EX\n";
  each_line(lines, [&](std::string_view line) { out += guarded(roff(line)) + '\n'; });
  return out + ".EE\n";
}

std::string paragraph(std::string_view text) {
  if (text.starts_with(' ') || text.find("\n ") != std::string_view::npos)
    return ".PP\n" + kept_lines(text);
  std::string out = ".PP\n";
  each_line(text, [&](std::string_view line) { out += guarded(roff_marked(line)) + '\n'; });
  return out;
}

}  // namespace

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const std::string_view name = named(c);
    if (name.empty())
      out += c;
    else
      out += name;
  }
  return out;
}

std::string roff_marked(std::string_view markdown) {
  std::string out;
  while (!markdown.empty()) {
    const std::size_t mark = std::min(markdown.find('`'), markdown.find("**"));
    if (mark == std::string_view::npos) break;
    const std::string_view sign = markdown[mark] == '`' ? "`" : "**";
    const std::size_t begin = mark + sign.size();
    const std::size_t end = markdown.find(sign, begin);
    if (end == std::string_view::npos || end == begin) break;  // no pair: the signs are meant
    out += roff(markdown.substr(0, mark));
    out += fmt::format("\\fB{}\\fR", roff(markdown.substr(begin, end - begin)));
    markdown.remove_prefix(end + sign.size());
  }
  return out + roff(markdown);
}

std::string roff_paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    out += paragraph(text.substr(0, end));
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return out;
}

std::string roff_example(std::string_view lines) { return ".RS 4\n" + kept_lines(lines) + ".RE\n"; }

std::string roff_tagged(const std::string& term, const std::string& meaning) {
  return fmt::format(".TP\n{}\n{}\n", guarded(term), guarded(meaning));
}

std::string roff_section(std::string_view title) { return fmt::format(".SH {}\n", upper(title)); }

std::string roff_title(std::string_view page, int section) {
  return fmt::format(".TH {} {} \"\" \"edgehose {}\" \"edgehose\"\n", roff(upper(page)), section,
                     kVersion);
}

}  // namespace edgehose
