#include "sinks/aws/xml.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/base/text.h"
#include "sinks/aws/environment.h"

namespace edgehose::aws {
namespace {

constexpr std::string_view kWhite = " \t\r\n";

void append_utf8(std::string& out, unsigned point) {
  const auto byte = [&](unsigned b) { out.push_back(static_cast<char>(b)); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) return byte(0xC0 | point >> 6), byte(0x80 | (point & 63));
  if (point < 0x10000)
    return byte(0xE0 | point >> 12), byte(0x80 | (point >> 6 & 63)), byte(0x80 | (point & 63));
  byte(0xF0 | point >> 18), byte(0x80 | (point >> 12 & 63));
  byte(0x80 | (point >> 6 & 63)), byte(0x80 | (point & 63));
}

// "#65" or "#x41", without '&' and ';'.
bool append_number(std::string& out, std::string_view entity) {
  const bool hex = entity.starts_with("#x");
  const std::string_view digits = entity.substr(hex ? 2 : 1);
  unsigned point = 0;
  const auto end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, point, hex ? 16 : 10);
  if (error != std::errc() || at != end || point == 0 || point > 0x10FFFF ||
      (point >= 0xD800 && point < 0xE000))
    return false;
  append_utf8(out, point);
  return true;
}

bool append_entity(std::string& out, std::string_view entity) {
  if (entity.starts_with('#')) return append_number(out, entity);
  for (const auto& [name, character] :
       {std::pair{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}})
    if (entity == name) {
      out.push_back(character);
      return true;
    }
  return false;
}

// Of the '>' that is not within an attribute's value.
std::size_t end_of_tag(std::string_view text) {
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quote == '\0' && text[i] == '>') return i;
    if (text[i] == quote)
      quote = '\0';
    else if (quote == '\0' && (text[i] == '"' || text[i] == '\''))
      quote = text[i];
  }
  return std::string_view::npos;
}

std::string_view without_prefix(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace

XmlReader::XmlReader(std::string_view document) : rest_(document) {
  if (document.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  wrong_ = document.size() > kMaxBytes;
}

XmlReader::Event XmlReader::wrong() {
  wrong_ = true;
  return Event::kWrong;
}

XmlReader::Event XmlReader::next() {
  if (wrong_) return Event::kWrong;
  if (close_at_once_) {
    close_at_once_ = false;
    return close(open_.back());
  }
  text_.clear();
  for (;;) {
    if (!decode(rest_.substr(0, rest_.find('<')))) return wrong();
    rest_.remove_prefix(std::min(rest_.find('<'), rest_.size()));
    if (rest_.starts_with("<![CDATA[")) {
      const std::size_t end = rest_.find("]]>");
      if (end == std::string_view::npos) return wrong();
      text_ += rest_.substr(9, end - 9);
      rest_.remove_prefix(end + 3);
    } else if (!skip_what_is_no_element()) {
      break;
    }
    if (wrong_) return Event::kWrong;
  }
  if (!trimmed(text_).empty()) return open_.empty() ? wrong() : Event::kText;
  if (rest_.empty()) return had_root_ && open_.empty() ? Event::kEnd : wrong();
  return tag();
}

// <?xml ...?> and comments; true where there was one.
bool XmlReader::skip_what_is_no_element() { return skip("<?", "?>") || skip("<!--", "-->"); }

bool XmlReader::skip(std::string_view from, std::string_view to) {
  if (!rest_.starts_with(from)) return false;
  const std::size_t end = rest_.find(to, from.size());
  if (end == std::string_view::npos) {
    wrong();
    return true;
  }
  rest_.remove_prefix(end + to.size());
  return true;
}

// rest_ begins with '<' and is an element's tag, or wrong (a DTD).
XmlReader::Event XmlReader::tag() {
  const std::size_t end = end_of_tag(rest_);
  if (end == std::string_view::npos) return wrong();
  std::string_view inside = rest_.substr(1, end - 1);
  rest_.remove_prefix(end + 1);
  const bool closes = inside.starts_with('/');
  const bool empty = inside.ends_with('/');
  if (closes) inside.remove_prefix(1);
  if (empty) inside.remove_suffix(inside.empty() ? 0 : 1);
  const std::string_view name = inside.substr(0, inside.find_first_of(kWhite));
  // Nor '/': readers put names together to paths.
  if (name.empty() || name[0] == '!' || name.find_first_of("<&\"'=/") != std::string_view::npos)
    return wrong();
  if (closes) return !open_.empty() && open_.back() == name ? close(name) : wrong();
  if (open_.size() == kMaxDepth || (open_.empty() && had_root_)) return wrong();
  had_root_ = true;
  open_.push_back(name);
  name_ = without_prefix(name);
  close_at_once_ = empty;
  return Event::kOpen;
}

XmlReader::Event XmlReader::close(std::string_view name) {
  name_ = without_prefix(name);
  open_.pop_back();
  return Event::kClose;
}

// Appends text with its entities replaced.
bool XmlReader::decode(std::string_view raw) {
  while (!raw.empty()) {
    const std::size_t mark = std::min(raw.find('&'), raw.size());
    text_ += raw.substr(0, mark);
    raw.remove_prefix(mark);
    if (raw.empty()) break;
    const std::size_t end = raw.find(';');
    if (end == std::string_view::npos || !append_entity(text_, raw.substr(1, end - 1)))
      return false;
    raw.remove_prefix(end + 1);
  }
  return true;
}

std::optional<std::string> xml_text(std::string_view document, std::string_view path) {
  XmlReader reader(document);
  std::string here;  // "/ErrorResponse/Error"
  std::string found;
  for (;;) {
    const bool inside = !here.empty() && std::string_view(here).substr(1) == path;
    switch (reader.next()) {
      case XmlReader::Event::kOpen: (here += '/') += reader.name(); break;
      case XmlReader::Event::kText:
        if (inside) found += reader.text();
        break;
      case XmlReader::Event::kClose:
        if (inside) return found;
        here.resize(here.rfind('/'));
        break;
      case XmlReader::Event::kEnd:
      case XmlReader::Event::kWrong: return std::nullopt;
    }
  }
}

}  // namespace edgehose::aws
