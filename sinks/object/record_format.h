// How a record looks inside an object.
//
//   lines   its bytes, unchanged (NUL and invalid UTF-8 too), and LF: what blocks hold already
//   ndjson  one JSON object a line:
//     {"time":"2026-11-23T01:24:00.123456789Z","agent":"gw-1","source":"app","sequence":7,
//      "file":"/var/log/app.log","offset":1024,"truncated":true,"partial":true,"message":"..."}
//   time is RFC 3339 in UTC with 0, 3, 6 or 9 decimals, the fewest that lose nothing; file and
//   offset (of the record's first byte in it) are there where it came from a file, file only where
//   its path is known; truncated and partial only where true; attributes, where there are any, are
//   an object of strings before message. Invalid UTF-8 becomes U+FFFD, one for each maximal invalid
//   part (Unicode chapter 3, "substitution of maximal subparts"); control characters are escaped.
//
// No shared state.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/types.h"
#include "buffer/record.h"

namespace edgehose {

struct RecordOrigin {
  std::string_view agent;
  std::string_view source;
  std::string_view file;  // path, empty: not known
};

// Writes the lines of records that follow each other: what they have in common, most of it, is
// formatted once.
class NdjsonWriter {
 public:
  // Appends the record's line.
  void append(const Record& record, const RecordOrigin& origin, std::string& out);

 private:
  void prepare(const Record& record, const RecordOrigin& origin);

  WallTime time_;
  std::string agent_, source_, file_;
  std::string before_sequence_, after_sequence_;
};

// Appends `text` as the inside of a JSON string.
void append_json_escaped(std::string_view text, std::string& out);

// Appends `text` with U+FFFD for what is no UTF-8.
void append_utf8(std::string_view text, std::string& out);

void append_rfc3339(WallTime time, std::string& out);

}  // namespace edgehose
