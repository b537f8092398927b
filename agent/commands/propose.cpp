#include "agent/commands/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "agent/config/value.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSystemLogs[] = {"syslog",   "messages",   "auth.log",
                                            "kern.log", "daemon.log", "user.log"};

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool holds_logs(const fs::path& directory) {
  const auto names = names_in(directory);
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.ends_with(".log"); });
}

void look_at(const fs::path& root, const std::string& name, FoundLogs& found) {
  std::error_code error;
  const fs::path path = root / "var/log" / name;
  const std::string shown = "/var/log/" + name;
  if (fs::is_directory(path, error)) {
    if (name != "journal" && found.directories.size() < kMaxFound && holds_logs(path))
      found.directories.push_back(shown);
    return;
  }
  const bool known =
      std::find(std::begin(kSystemLogs), std::end(kSystemLogs), name) != std::end(kSystemLogs);
  if ((known || name.ends_with(".log")) && found.system.size() < kMaxFound)
    found.system.push_back(shown);
}

// A source's name from a directory's: a-z, 0-9, "-" and "_", at most kMaxName of them.
std::string source_name(std::string_view directory, std::set<std::string>& taken) {
  constexpr std::size_t kMaxName = 64, kMaxNumber = 4;  // "-999"
  std::string base;
  for (char c : directory.substr(directory.rfind('/') + 1)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    base += plain ? c : '-';
  }
  base.resize(std::min(base.size(), kMaxName - kMaxNumber));
  std::string name = base;
  for (unsigned number = 2; !taken.insert(name).second; ++number)
    name = fmt::format("{}-{}", base, number);
  return name;
}

std::string system_source(const std::vector<std::string>& paths) {
  std::string out =
      "# What the system writes. Rotated files are recognised; nothing is read twice.\n"
      "[sources.system]\n"
      "type  = \"file\"\n"
      "paths = [\n";
  for (const std::string& path : paths) out += fmt::format("  {},\n", config::quote(path));
  return out + "]\n\n";
}

std::string directory_source(const std::string& directory, std::set<std::string>& taken) {
  return fmt::format("[sources.{}]\ntype  = \"file\"\npaths = [{}]\n\n",
                     source_name(directory, taken), config::quote(directory + "/**/*.log"));
}

std::string no_files(bool journal) {
  if (journal)
    return "# This device logs to the systemd journal only: no text logs are below\n"
           "# /var/log. Let rsyslog write /var/log/syslog (apt install rsyslog), or point\n"
           "# this at the files of your application.\n";
  return "# No logs were found below /var/log. Point this at your application's files.\n";
}

constexpr std::string_view kHead =
    "# edgehose: reads the logs of this device and delivers them, compressed.\n"
    "# Check it with: edgehose --config THIS-FILE check\n"
    "# Every option: edgehose config reference\n\n"
    "[agent]\n"
    "# id = \"gw-0042\"        # default: derived from the machine id\n"
    "data_dir = \"/var/lib/edgehose\"\n"
    "# labels = { site = \"north\" }   # for prefixes: !{label:site}\n\n"
    "[buffer]\n"
    "# max_size  = \"512MiB\"\n"
    "when_full = \"block\"      # or drop_oldest, drop_newest\n\n";

constexpr std::string_view kSink =
    "# Where it goes. Below /media and /mnt it is never created: a stick that is not\n"
    "# mounted is not replaced by a directory.\n"
    "[sinks.archive]\n"
    "type        = \"directory\"\n"
    "path        = \"/media/usb/logs\"\n"
    "prefix      = \"!{edgehose:source}/!{timestamp:yyyy/MM/dd/HH}/\"\n"
    "compression = \"zstd\"\n"
    "batch       = { max_size = \"8MiB\", max_age = \"5m\" }\n"
    "# Only the holder of the secret key can read it: edgehose key new --age\n"
    "# encrypt   = { age = [\"age1...\"] }\n";

}  // namespace

FoundLogs look_for_logs(const std::string& root) {
  FoundLogs found;
  const fs::path base = root.empty() ? fs::path("/") : fs::path(root);
  for (const std::string& name : names_in(base / "var/log")) look_at(base, name, found);
  std::error_code error;
  found.journal = fs::exists(base / "var/log/journal", error) ||
                  fs::exists(base / "run/log/journal", error) ||
                  fs::exists(base / "run/systemd/journal/socket", error);
  return found;
}

std::string proposed_config(const FoundLogs& found) {
  std::string out(kHead);
  std::set<std::string> taken = {"system"};
  if (found.system.empty() && found.directories.empty())
    out += no_files(found.journal) +
           "[sources.app]\ntype  = \"file\"\npaths = [\"/var/log/app/**/*.log\"]\n\n";
  if (!found.system.empty()) out += system_source(found.system);
  for (const std::string& directory : found.directories) out += directory_source(directory, taken);
  return out + std::string(kSink);
}

}  // namespace edgehose
