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
  std::string_view body;              // without its line ending; may hold any byte but LF
  WallTime time;                      // when it was observed
  FileId file;                        // where it came from; 0: a source without positions
  std::uint64_t begin = 0, end = 0;   // its bytes in that file, line ending included
  bool truncated = false;             // longer than max_record_bytes: the body is its beginning
  bool partial = false;               // the file's last line, shipped without its line ending
  std::vector<Attribute> attributes;  // few; names and values of at most 64 KiB
};

// Whole lines of one file, one after the other, observed at one time: most of what a file gives.
// Borrowed for the call.
struct NewLines {
  std::string_view bytes;  // the last LF ends the last line; what follows it is none
  WallTime time;
  FileId file;                // not 0
  std::uint64_t begin = 0;    // of the first, in that file
  std::uint64_t longest = 0;  // bytes of a line without its LF; a longer one is not taken
};

// How much of them was taken, from the front.
struct TakenLines {
  std::size_t bytes = 0;
  std::uint32_t records = 0;
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
