// Which files a source means, by their names alone.
//
// Threading: values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/sources/glob.h"

namespace edgehose {

struct FileSelection {
  std::vector<Glob> paths;
  std::vector<std::string> exclude;
};
Result<FileSelection> parse_selection(const std::vector<std::string>& paths,
                                      const std::vector<std::string>& exclude);

// The first selection whose paths name it and whose exclude does not. Looks at the name alone.
std::optional<std::size_t> selecting(const std::vector<FileSelection>& selections,
                                     const std::string& path);

// For each of these paths that is a directory: that it is one, and what to write for its files.
// Empty where none is.
std::string directory_hint(const std::vector<std::string>& paths);

}  // namespace edgehose
