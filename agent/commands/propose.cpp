#include "agent/commands/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "agent/commands/rsyslog.h"
#include "agent/config/value.h"

namespace edgehose {
namespace {

// A source's name from an application's: a-z, 0-9, "-" and "_", at most kMaxName of them.
std::string source_name(std::string_view application, std::set<std::string>& taken) {
  constexpr std::size_t kMaxName = 64, kMaxNumber = 4;  // "-999"
  std::string base;
  for (char c : application) {
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

std::string list_of_paths(const std::vector<std::string>& paths) {
  if (paths.size() == 1) return fmt::format("[{}]", config::quote(paths[0]));
  std::string out = "[\n";
  for (const std::string& path : paths) out += fmt::format("  {},\n", config::quote(path));
  return out + "]";
}

std::string file_source(std::string_view name, const std::vector<std::string>& paths) {
  return fmt::format("[sources.{}]\ntype  = \"file\"\npaths = {}\n\n", name, list_of_paths(paths));
}

constexpr std::string_view kJournalOnly =
    "# This device logs to the systemd journal alone, which is no text that can be\n"
    "# tailed. rsyslog writes it as a file beside; as root:\n"
    "#   apt install rsyslog logrotate\n"
    "#   edgehose config example --rsyslog   > /etc/rsyslog.d/10-edgehose.conf\n"
    "#   edgehose config example --logrotate > /etc/logrotate.d/edgehose-rsyslog\n"
    "#   systemctl restart rsyslog\n";

constexpr std::string_view kNothing =
    "# No logs were found below /var/log. Point this at your application's files.\n";

// What the system logs. Where the journal has it, the file that rsyslog will write.
std::string system_source(const FoundDevice& found) {
  std::vector<std::string> paths = found.system;
  if (found.syslog || !found.journal) {
    if (paths.empty()) return "";
    return "# What the system writes. Rotated files are recognised; nothing is read twice.\n" +
           file_source("system", paths);
  }
  paths.insert(paths.begin(), std::string(kRsyslogFile));
  return std::string(kJournalOnly) + file_source("system", paths);
}

std::string commented(std::string_view text) {
  std::string out;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;
       text.remove_prefix(end + 1))
    out += fmt::format("#{}{}\n", end == 0 ? "" : " ", text.substr(0, end));
  return out;
}

// Not read unless somebody wants it so: the service is not allowed to.
std::string container_sources(const std::vector<FoundLogs>& containers) {
  if (containers.empty()) return "";
  std::string sources;
  for (const FoundLogs& logs : containers) sources += file_source(logs.name, logs.patterns);
  sources.pop_back();  // the empty line
  return "# What containers write to their standard output. The files are root's alone, in\n"
         "# directories that come and go with the containers: the service needs a drop-in\n"
         "# that lets it read what root may.\n" +
         commented(sources) + "\n";
}

std::string unseen(const std::vector<std::string>& closed) {
  if (closed.empty()) return "";
  std::string out = "# This user may not look into these; root sees what is in them:\n";
  for (const std::string& directory : closed)
    out += fmt::format("#   {}\n", config::quote(directory));
  return out + "\n";
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

std::string proposed_config(const FoundDevice& found) {
  std::string sources = system_source(found);
  std::set<std::string> taken = {"system", "docker", "pods"};
  for (const FoundLogs& logs : found.applications)
    sources += file_source(source_name(logs.name, taken), logs.patterns);
  if (sources.empty())
    sources = std::string(kNothing) + file_source("app", {"/var/log/app/**/*.log"});
  sources += container_sources(found.containers);
  return std::string(kHead) + sources + unseen(found.closed) + std::string(kSink);
}

}  // namespace edgehose
