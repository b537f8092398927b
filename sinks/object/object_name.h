// ObjectNames: what the objects of a sink are called.
//
//   PREFIX SOURCE-TIME-AGENT-EPOCH-FIRST-LAST.EXTENSION
//   site=north/2026/11/23/01/app-20261123T012400Z-gw-0042-0f...-000000000001-000000004711.log.zst
//
// TIME is the arrival of the batch's oldest record in UTC, to the second; EPOCH the buffer's 128
// bits in hex; FIRST and LAST sequences, padded so that names sort. A function of what is in it:
// a retry repeats it, and two buffers never share one. In SOURCE and AGENT what is not a letter, a
// digit, '.', '_' or '-' is written %XX; what is longer than 64 bytes is cut and ends in ~CHECKSUM,
// as does a SOURCE with capitals: where they do not count, App and app are one.
//
// Threading: const after construction.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "sinks/object/object_config.h"
#include "sinks/object/prefix.h"

namespace edgehose {

// What names are made of beside the config of their sink.
struct ObjectContext {
  std::string agent;
  std::map<std::string, std::string> labels;
  std::string timezone = "UTC";
};

// `text` cut to `limit` bytes (at least 16), ending in a checksum of all of it: "abc~1c291ca3".
std::string shortened(std::string_view text, std::size_t limit);

// SOURCE or AGENT as it stands in a name.
std::string object_name_part(std::string_view text, std::size_t limit);

class ObjectNames {
 public:
  static constexpr std::size_t kMaxPartBytes = 64;  // of SOURCE, and of AGENT

  // `warnings` get what the prefix is suspected of (prefix.h). Also checks how objects are made.
  static Result<ObjectNames> compile(const ObjectConfig& config, const ObjectContext& context,
                                     const ObjectRendering& rendering,
                                     std::vector<std::string>& warnings);

  struct Name {
    std::string prefix;  // at most kMaxPrefixBytes
    std::string name;    // without a '/'
  };
  Name name(const BatchOutline& batch, std::size_t part_limit = kMaxPartBytes) const;
  // Whether a key ends in a name of this agent's and this buffer's, whatever its prefix, source and
  // extension.
  bool is_own(std::string_view key, const Epoch& epoch) const;

 private:
  ObjectNames(std::string agent, std::string extension, Prefix prefix)
      : agent_(std::move(agent)), extension_(std::move(extension)), prefix_(std::move(prefix)) {}

  std::string agent_;
  std::string extension_;
  Prefix prefix_;
};

}  // namespace edgehose
