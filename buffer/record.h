// Record: one event, what everything else carries. Its identity (agent, epoch, source, sequence)
// never changes and is never given twice.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/base/types.h"

namespace edgehose {

struct Attribute {
  std::string_view name;
  std::string_view value;
};

// What a source hands in. The bytes are borrowed for the call.
struct NewRecord {
  std::string_view body;  // without its line ending; may hold any byte but LF
  WallTime time;          // when it was observed
  FileId file;            // where it came from; 0: a source without positions
  std::uint64_t begin = 0, end = 0;  // its bytes in that file, line ending included
  bool truncated = false;  // longer than max_record_bytes: the body is its beginning
  bool partial = false;    // the file's last line, shipped without its line ending
  std::vector<Attribute> attributes;  // few; names and values of at most 64 KiB
};

// What a block gives back. Borrows from the block.
struct Record {
  Sequence sequence;
  WallTime time;
  std::string_view body;  // without LF
  FileId file;
  std::uint64_t begin = 0, end = 0;
  bool truncated = false;
  bool partial = false;
  std::vector<Attribute> attributes;
};

}  // namespace edgehose
