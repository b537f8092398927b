#include "agent/commands/service_unit.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "agent/base/file.h"

namespace edgehose {
namespace {

constexpr std::size_t kUnitBytes = 64 * 1024;  // of one file; systemd's own units have a few KiB
// The first that has the unit wins.
constexpr std::array<std::string_view, 4> kUnitPlaces{
    "/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/",
    "/lib/systemd/system/"};
constexpr std::string_view kUnit = "edgehose.service";
constexpr std::string_view kShippedGroup = "adm";  // systemd/edgehose.service

std::vector<std::string> drop_ins(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".conf") files.push_back(it->path().string());
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::vector<std::string> ServiceUnit::words(std::string_view setting) const {
  std::vector<std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || std::string_view(line).substr(0, equals) != setting)
      continue;
    std::istringstream words(line.substr(equals + 1));
    const std::size_t before = all.size();
    for (std::string word; words >> word;) all.push_back(word);
    if (all.size() == before) all.clear();
  }
  return all;
}

std::vector<std::string> ServiceUnit::supplementary_groups() const {
  if (!installed) return {std::string(kShippedGroup)};
  return words("SupplementaryGroups");
}

ServiceUnit read_service_unit(const std::string& root) {
  ServiceUnit unit;
  for (const std::string_view place : kUnitPlaces) {
    auto text = read_file(fmt::format("{}{}{}", root, place, kUnit), kUnitBytes);
    if (!text) continue;
    unit = {true, *std::move(text) + "\n"};
    break;
  }
  for (const std::string& file : drop_ins(fmt::format("{}{}{}.d", root, kUnitPlaces[0], kUnit)))
    if (const auto text = read_file(file, kUnitBytes)) unit.text += *text + "\n";
  return unit;
}

}  // namespace edgehose
