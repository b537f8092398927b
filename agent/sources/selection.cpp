#include "agent/sources/selection.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

namespace edgehose {

Result<FileSelection> parse_selection(const std::vector<std::string>& paths,
                                      const std::vector<std::string>& exclude) {
  FileSelection selection;
  for (const std::string& path : paths) {
    EH_ASSIGN(Glob glob, Glob::parse(path));
    selection.paths.push_back(std::move(glob));
  }
  for (const std::string& pattern : exclude) EH_TRY(check_exclusion(pattern));
  selection.exclude = exclude;
  return selection;
}

std::optional<std::size_t> selecting(const std::vector<FileSelection>& selections,
                                     const std::string& path) {
  for (std::size_t i = 0; i < selections.size(); ++i)
    if (!excluded(selections[i].exclude, path) &&
        std::ranges::any_of(selections[i].paths, [&](const Glob& g) { return g.matches(path); }))
      return i;
  return std::nullopt;
}

std::string directory_hint(const std::vector<std::string>& paths) {
  std::string hint;
  for (const std::string& path : paths) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    hint += fmt::format("{}{} is a directory: write {}/*.log, or {}/** for all files below it",
                        hint.empty() ? "" : "; ", path, path, path);
  }
  return hint;
}

}  // namespace edgehose
