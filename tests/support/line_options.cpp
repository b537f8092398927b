#include "tests/support/line_options.h"

#include <sstream>

std::string to_text(const gateway::LineOptions& options) {
  std::ostringstream out;
  out << "run=" << options.run << " seed=" << options.seed << " stamps=" << options.lines_per_second
      << " long_every=" << options.long_every << " long_bytes=" << options.long_bytes
      << " bytes=" << static_cast<int>(options.bytes);
  return out.str();
}

std::optional<gateway::LineOptions> from_text(std::string_view text) {
  gateway::LineOptions options;
  std::istringstream in{std::string(text)};
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
    std::istringstream v(value);
    int bytes = 0;
    if (key == "run")
      options.run = value;
    else if (key == "seed")
      v >> options.seed;
    else if (key == "stamps")
      v >> options.lines_per_second;
    else if (key == "long_every")
      v >> options.long_every;
    else if (key == "long_bytes")
      v >> options.long_bytes;
    else if (key == "bytes")
      v >> bytes, options.bytes = static_cast<gateway::Bytes>(bytes);
    if (v.fail()) return std::nullopt;
  }
  return options;
}
