// What logrotate does to files by copytruncate, as far as its config says.
//
// Format: logrotate.conf(5): paths, globs among them, before "{"; directives, one a line, up to
// "}"; directives outside hold for the rules after them. Scripts (postrotate ... endscript) are
// skipped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edgehose {

struct LogrotateRule {
  std::string file;                   // that it stands in
  std::vector<std::string> patterns;  // of paths
};

// The rules of one file that copy and truncate. `everywhere`: directives before have asked for it;
// afterwards: those of this file too.
std::vector<LogrotateRule> copytruncate_rules_in(const std::string& file, std::string_view text,
                                                 bool& everywhere);
// Of etc/logrotate.conf and etc/logrotate.d; what cannot be read is left out.
std::vector<LogrotateRule> copytruncate_rules(const std::string& etc);
bool rotates(const LogrotateRule& rule, const std::string& path);

}  // namespace edgehose
