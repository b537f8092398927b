// Firehose's prefix expressions, `!{namespace:value}`, and ours:
//   !{timestamp:PATTERN}     a java.time.format.DateTimeFormatter pattern, at one instant
//   !{firehose:random-string}  11 characters, here a function of the batch, so that a retry repeats it
//   !{edgehose:agent} !{edgehose:source} !{label:NAME}
// Without a timestamp expression yyyy/MM/dd/HH/ is appended, as Firehose does. Compiled once,
// rendered per batch; both pure.
// Source: the Firehose developer guide, "Custom prefixes for Amazon S3 objects".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"

namespace edgehose {

struct PrefixContext {
  std::string agent;
  std::string source;
  WallTime time;              // the arrival of the batch's oldest record
  std::uint64_t seed = 0;     // of random-string
};

class Prefix {
 public:
  // Errors name the expression and, where one is near, the right spelling (`%Y` -> `yyyy`).
  // `warnings` get what is legal but probably not meant: YYYY (week year), DD (day of year).
  // `timezone`: an IANA name ("Europe/Berlin") or "UTC".
  static Result<Prefix> compile(std::string_view text, const std::map<std::string, std::string>& labels,
                                std::string_view timezone, std::vector<std::string>& warnings);
  std::string render(const PrefixContext& context) const;

 private:
  struct Part;
  std::vector<Part> parts_;
  std::string timezone_;
};

}  // namespace edgehose
