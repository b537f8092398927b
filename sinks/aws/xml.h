// XmlReader: the tags and texts of a small XML document, one after the other; what AWS answers in
// XML needs no more. No DTDs, no entities but the five and numbers, no attributes (they are
// skipped); namespace prefixes are dropped. Whatever is given, reading ends and stays in its bytes.
//
// Threading: one thread. Bounded: kMaxBytes, kMaxDepth.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgehose::aws {

class XmlReader {
 public:
  static constexpr std::size_t kMaxBytes = 4 << 20;
  static constexpr std::size_t kMaxDepth = 32;

  enum class Event { kOpen, kText, kClose, kEnd, kWrong };

  explicit XmlReader(std::string_view document);

  // kEnd: the document is whole. kWrong: it is no XML of this kind. Both stay.
  Event next();
  std::string_view name() const { return name_; }    // of kOpen and kClose
  const std::string& text() const { return text_; }  // of kText, decoded; never white space alone

 private:
  Event tag();
  Event close(std::string_view name);
  Event wrong();
  bool skip(std::string_view from, std::string_view to);
  bool skip_what_is_no_element();
  bool decode(std::string_view raw);

  std::string_view rest_;
  std::vector<std::string_view> open_;  // the elements around
  std::string_view name_;
  std::string text_;
  bool close_at_once_ = false;  // after <empty/>
  bool had_root_ = false;
  bool wrong_ = false;
};

// The text of the first element at a path such as "ErrorResponse/Error/Code"; nothing where there
// is none, or the document is wrong before it.
std::optional<std::string> xml_text(std::string_view document, std::string_view path);

}  // namespace edgehose::aws
