// What arrived of a demo's log: every delivered object opened, every line held against the one that
// was logged, byte for byte.
//
// Threading: pure but for reading the files. Memory: a bit for each line, and a piece of one
// object.
#pragma once

#include <cstdint>
#include <string>

#include "agent/commands/gateway_line.h"
#include "sinks/object/age/keys.h"

namespace edgehose {

struct DemoProof {
  std::uint64_t objects = 0, bytes = 0;  // delivered, as they lie there
  std::uint64_t arrived = 0;             // lines in them
  std::uint64_t missing = 0;             // lines that were logged, and did not arrive
  std::uint64_t doubled = 0;             // lines that arrived before
  std::uint64_t changed = 0;             // lines that were never logged so

  bool exactly_once() const { return missing == 0 && doubled == 0 && changed == 0; }
};

// Opens all files below `directory`, hidden ones left out, which are no objects yet. `lines`: of
// the log, from line 0 on. Errors: an object that cannot be opened, or is damaged, with its path.
Result<DemoProof> prove_delivery(const std::string& directory, const AgeIdentity& identity,
                                 const gateway::LineOptions& line, std::uint64_t lines);

}  // namespace edgehose
