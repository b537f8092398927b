// Firehose's prefix expressions, `!{namespace:value}`, and ours:
//   !{timestamp:PATTERN}     a java.time.format.DateTimeFormatter pattern, at one instant
//   !{firehose:random-string}  11 characters, here a function of the batch, so that a retry repeats
//   it
//   !{edgehose:agent} !{edgehose:source} !{label:NAME}
// Without a timestamp expression yyyy/MM/dd/HH/ is appended, as Firehose does (after a '/' where
// the prefix ends without one). Compiled once, rendered per batch; both pure.
//
// What is rendered can be a key and a path: at most kMaxPrefixBytes, no leading '/', no "//", no
// part that is "." or "..". In text and labels those are errors when compiled; names of agent and
// source are made safe: '/' and control characters become '_'.
// Source: the Firehose developer guide, "Custom prefixes for Amazon S3 objects".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "sinks/object/date_pattern.h"
#include "sinks/object/time_zone.h"

namespace edgehose {

constexpr std::size_t kMaxPrefixBytes = 512;  // rendered

struct PrefixContext {
  std::string agent;
  std::string source;
  WallTime time;           // the arrival of the batch's oldest record
  std::uint64_t seed = 0;  // of random-string
};

class Prefix {
 public:
  // Every error, one after the other, each with its expression and, where one is near, the right
  // spelling (`%Y` -> `yyyy`).
  // `warnings` get what is legal but probably not meant: YYYY (week year), DD (day of year).
  // `timezone`: an IANA name ("Europe/Berlin") or "UTC".
  static Result<Prefix> compile(std::string_view text,
                                const std::map<std::string, std::string>& labels,
                                std::string_view timezone, std::vector<std::string>& warnings);
  std::string render(const PrefixContext& context) const;

 private:
  struct Part {
    enum class Kind { kText, kTimestamp, kRandom, kAgent, kSource };
    Kind kind = Kind::kText;
    std::string text;
    DatePattern pattern;
  };
  using Labels = std::map<std::string, std::string>;

  // Takes all of `text`, or up to behind its first error.
  Status add_text(std::string_view& text);
  Status add_expression(std::string_view expression, const Labels& labels,
                        std::vector<std::string>& warnings);
  Status add_label(std::string_view name, const Labels& labels);
  Status add_timestamp(std::string_view pattern, std::vector<std::string>& warnings);
  Status add_default_timestamp();
  std::string expand(const PrefixContext& context) const;
  // Whether it renders to a good key, seen at an example.
  Status check_example() const;

  std::vector<Part> parts_;
  std::shared_ptr<const TimeZone> zone_;
};

}  // namespace edgehose
