#include "agent/commands/service_unit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <span>
#include <sstream>
#include <system_error>

#include "agent/base/file.h"
#include "agent/commands/service_user.h"

namespace edgehose {
namespace {

constexpr std::size_t kUnitBytes = 64 * 1024;  // of one file; systemd's own units have a few KiB
// The first that has the unit wins.
constexpr std::array<std::string_view, 4> kUnitPlaces{
    "/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/",
    "/lib/systemd/system/"};
constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kUnit = "edgehose.service";
constexpr DescriptorLimits kSystemdDescriptors{1024, 524'288};  // DefaultLimitNOFILE

std::vector<std::string> drop_ins(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".conf") files.push_back(it->path().string());
  std::ranges::sort(files);
  return files;
}

std::uint64_t limit_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : UINT64_MAX;  // "infinity"
}

// Words as systemd takes them apart: "A=one two" is one, and so is A="one two".
std::vector<std::string> unquoted_words(std::string_view line) {
  std::vector<std::string> words;
  char quote = 0;
  bool within = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank = quote == 0 && kBlanks.find(c) != std::string_view::npos;
    if (!blank && !within) words.emplace_back();
    within = !blank;
    if (blank) continue;
    if (c == '\\' && i + 1 < line.size())
      words.back() += line[++i];
    else if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
    else
      words.back() += c;
  }
  return words;
}

// A line of a file of variables: blanks count, quotes around the value do not.
std::string unquoted(const std::string& line) {
  const std::size_t value = line.find('=') + 1;
  const bool quoted = line.size() >= value + 2 && line.back() == line[value] &&
                      (line[value] == '"' || line[value] == '\'');
  return quoted ? line.substr(0, value) + line.substr(value + 1, line.size() - value - 2) : line;
}

void assign(const std::string& assignment, std::map<std::string, std::string>& variables) {
  const std::size_t equals = assignment.find('=');
  if (equals == 0 || equals == std::string::npos) return;
  variables[assignment.substr(0, equals)] = assignment.substr(equals + 1);
}

// Directories that systemd makes for the service, by setting and place. In the first ones, of
// kForAgent, lie its data and its socket.
using MadePlace = std::array<std::string_view, 2>;
constexpr std::array<MadePlace, 4> kMade{{{"StateDirectory", "/var/lib"},
                                          {"RuntimeDirectory", "/run"},
                                          {"CacheDirectory", "/var/cache"},
                                          {"LogsDirectory", "/var/log"}}};
constexpr auto kForAgent = std::span(kMade).first<2>();

std::vector<std::string> made_directories(const ServiceUnit& unit,
                                          std::span<const MadePlace> settings) {
  std::vector<std::string> made;
  for (const auto& [setting, place] : settings)
    for (const std::string& name : unit.words(setting))
      made.push_back(fmt::format("{}/{}", place, name.substr(0, name.find(':'))));
  return made;
}

}  // namespace

std::vector<std::string> ServiceUnit::lines(std::string_view setting) const {
  std::vector<std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || std::string_view(line).substr(0, equals) != setting)
      continue;
    const std::size_t value = line.find_first_not_of(kBlanks, equals + 1);
    if (value == std::string::npos)
      all.clear();
    else
      all.push_back(line.substr(value));
  }
  return all;
}

std::vector<std::string> ServiceUnit::words(std::string_view setting) const {
  std::vector<std::string> all;
  for (const std::string& line : lines(setting)) {
    std::istringstream words(line);
    for (std::string word; words >> word;) all.push_back(word);
  }
  return all;
}

ServiceGrants ServiceUnit::grants() const {
  ServiceGrants grants;
  for (const std::string& line : lines("Environment"))
    for (const std::string& word : unquoted_words(line))
      if (word.find('%') == std::string::npos) assign(word, grants.variables);
  std::istringstream files(environment);
  for (std::string line; std::getline(files, line);)
    if (!line.starts_with('#') && !line.starts_with(';')) assign(unquoted(line), grants.variables);
  for (const std::string_view setting :
       {"LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"})
    for (const std::string& line : lines(setting))
      grants.credentials.push_back(line.substr(0, line.find(':')));
  return grants;
}

bool ServiceUnit::makes(const std::string& path) const {
  return std::ranges::any_of(made_directories(*this, kForAgent), [&](const auto& made) {
    return is_at_or_below(path, made) && !is_at_or_below(existing_ancestor(path), made + "/");
  });
}

bool ServiceUnit::lets_write(const std::string& path) const {
  const auto protection = words("ProtectSystem");
  if (!installed || protection.empty() || protection.back() != "strict") return true;
  for (std::string word : words("ReadWritePaths")) {
    if (word.starts_with('-') || word.starts_with('+')) word.erase(0, 1);
    if (is_at_or_below(path, word)) return true;
  }
  return std::ranges::any_of(made_directories(*this, kMade),
                             [&](const std::string& made) { return is_at_or_below(path, made); });
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && (path.size() == directory.size() ||
                                         directory.ends_with('/') || path[directory.size()] == '/');
}

// "1024:16384", "16384" (both), "infinity".
std::optional<DescriptorLimits> ServiceUnit::descriptor_limits() const {
  if (!installed) return std::nullopt;
  const std::vector<std::string> limits = words("LimitNOFILE");
  if (limits.empty()) return kSystemdDescriptors;
  const std::string_view last = limits.back();
  return DescriptorLimits{limit_of(last.substr(0, last.find(':'))),
                          limit_of(last.substr(last.find(':') + 1))};
}

std::vector<std::string> ServiceUnit::supplementary_groups() const {
  return words("SupplementaryGroups");
}

bool ServiceUnit::is_on(std::string_view setting) const {
  static constexpr std::array<std::string_view, 5> kYes{"yes", "true", "on", "1", "y"};
  const auto values = words(setting);
  return !values.empty() && std::ranges::find(kYes, values.back()) != kYes.end();
}

bool ServiceUnit::hides(std::string_view path) const {
  const auto below = [&](auto... places) { return (is_at_or_below(path, places) || ...); };
  if (below("/tmp", "/var/tmp")) return is_on("PrivateTmp");
  if (!below("/home", "/root", "/run/user")) return false;
  const auto home = words("ProtectHome");
  return is_on("ProtectHome") || (!home.empty() && home.back() == "tmpfs");
}

bool ServiceUnit::reads_everything() const {
  const auto capabilities = words("AmbientCapabilities");
  return std::ranges::any_of(capabilities, [](const std::string& capability) {
    return capability == "CAP_DAC_READ_SEARCH" || capability == "CAP_DAC_OVERRIDE";
  });
}

std::vector<std::string> ServiceUnit::output_files() const {
  std::vector<std::string> files;
  for (const std::string_view setting : {"StandardOutput", "StandardError"}) {
    const auto given = lines(setting);
    for (const std::string_view kind : {"file:", "append:", "truncate:"})
      if (!given.empty() && given.back().starts_with(kind))
        files.push_back(given.back().substr(kind.size()));
  }
  const auto [first, last] = std::ranges::unique(files);
  files.erase(first, last);
  return files;
}

std::string ServiceUnit::user() const {
  if (!installed) return kServiceUser;
  const auto users = words("User");
  if (!users.empty()) return users.back();
  return makes_user() ? kServiceUser : "root";
}

std::string ServiceUnit::config() const {
  constexpr std::string_view kOption = "--config";
  const auto starts = lines("ExecStart");
  const auto command = starts.empty() ? std::vector<std::string>{} : unquoted_words(starts.back());
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] == kOption && i + 1 < command.size()) return command[i + 1];
    if (command[i].starts_with(fmt::format("{}=", kOption)))
      return command[i].substr(kOption.size() + 1);
  }
  return LoadOptions{}.path;
}

std::string ServiceUnit::group() const {
  const auto groups = words("Group");
  return groups.empty() ? "" : groups.back();
}

bool ServiceUnit::makes_user() const { return is_on("DynamicUser"); }

ServiceUnit read_service_unit(const std::string& root) {
  ServiceUnit unit;
  for (const std::string_view place : kUnitPlaces) {
    auto text = read_file(fmt::format("{}{}{}", root, place, kUnit), kUnitBytes);
    if (!text) continue;
    unit.installed = true;
    unit.text = *std::move(text) + "\n";
    break;
  }
  for (const std::string& file : drop_ins(fmt::format("{}{}{}.d", root, kUnitPlaces[0], kUnit)))
    if (const auto text = read_file(file, kUnitBytes)) unit.text += *text + "\n";
  for (const std::string& word : unit.words("EnvironmentFile"))
    if (const auto text = read_file(root + word.substr(word.starts_with('-') ? 1 : 0), kUnitBytes))
      unit.environment += *text + "\n";
  return unit;
}

}  // namespace edgehose
