// JsonLine: a line that is a JSON object, checked, and what a document needs to know of it: its
// keys, and a time that it holds. The line itself is passed on as it is.
//
// Threading: one thread. Bounded by the line: some five times its size.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/types.h"

namespace edgehose {

class JsonLine {
 public:
  // False: the line is no JSON object (RFC 8259), or has numbers beyond 64 bits. Bytes that are no
  // UTF-8 are replaced first. Borrows the line until the next one is read.
  bool read(std::string_view line);

  // What stands behind the object's '{', its '}' included, without a line end.
  std::string_view rest() const { return rest_; }
  bool empty() const { return object_.size() == 0; }
  // visit(key) of each key at the top, unescaped.
  template <class Visit>
  void each_key(Visit visit) const {
    for (const auto field : object_) visit(field.key);
  }
  // The time that `field` holds: a key, or else the path "a.b" to one. None: there is none, or it
  // is no time (event_time.h).
  std::optional<WallTime> time(std::string_view field) const;
  // The text, number or truth that `field` holds, as text.
  std::optional<std::string> text(std::string_view field) const;

 private:
  bool parse(std::string_view text);

  simdjson::dom::parser parser_;
  simdjson::dom::object object_;
  std::string_view rest_;
  std::string repaired_;
};

}  // namespace edgehose
