// The half of propose.h that looks.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "agent/base/text.h"
#include "agent/commands/propose.h"
#include "sinks/object/record_format.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSystemLogs[] = {"syslog", "messages", "secure"};
// The one of them that everything goes to.
constexpr std::string_view kMainLogs[] = {"syslog", "messages", "all.log"};
// Of /var/log: the journal's own format; Kubernetes' logs, and links to them.
constexpr std::string_view kNoApplications[] = {"journal", "pods", "containers"};
constexpr std::string_view kEndings[] = {".log", "_log"};

constexpr int kDeepest = 3;               // directories below an application's own
constexpr std::size_t kMostNames = 4096;  // of a directory; the rest is not looked at

template <std::size_t N>
bool one_of(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Others cannot be written in a config.
bool is_utf8(const std::string& name) {
  std::string text;
  append_utf8(name, text);
  return text == name;
}

class Look {
 public:
  explicit Look(const std::string& root) : root_(root) {}

  FoundDevice look() {
    look_into_var_log();
    for (const char* place : {"/opt", "/srv"}) look_into_vendor(place);
    look_at_containers();
    found_.journal = there("/var/log/journal") || there("/run/log/journal") ||
                     there("/run/systemd/journal/socket");
    return std::move(found_);
  }

 private:
  void look_into_var_log() {
    for (const std::string& name : names_in("/var/log")) {
      const std::string path = "/var/log/" + name;
      if (is_directory(path)) {
        if (!one_of(name, kNoApplications)) add_application(name, path);
        continue;
      }
      found_.syslog = found_.syslog || one_of(name, kMainLogs);
      if ((one_of(name, kSystemLogs) || name.ends_with(".log")) && found_.system.size() < kMaxFound)
        found_.system.push_back(quote_glob(path));
    }
  }

  // Programs that come as a directory: /opt/NAME/log, /srv/NAME/logs.
  void look_into_vendor(const std::string& place) {
    for (const std::string& name : names_in(place))
      for (const char* logs : {"/log", "/logs"}) {
        const std::string path = place + "/" + name + logs;
        if (is_directory(path)) add_application(name, path);
      }
  }

  // Docker closes its directory to all but root: then its containers are supposed. A pod has a
  // directory for each container, with its log's rotations.
  void look_at_containers() {
    std::error_code error;
    const fs::directory_iterator containers(below("/var/lib/docker/containers"), error);
    if (error == std::errc::permission_denied || (!error && containers != fs::directory_iterator()))
      found_.containers.push_back({"docker", {"/var/lib/docker/containers/*/*-json.log"}});
    if (!names_in("/var/log/pods").empty())
      found_.containers.push_back({"pods", {"/var/log/pods/*/*/*.log"}});
  }

  void add_application(const std::string& name, const std::string& directory) {
    if (found_.applications.size() >= kMaxFound) return;
    std::set<std::string_view> endings;
    look_for_endings(directory, 0, endings);
    FoundLogs logs{name, {}};
    for (const std::string_view ending : endings)
      logs.patterns.push_back(quote_glob(directory) + "/**/*" + std::string(ending));
    if (!logs.patterns.empty()) found_.applications.push_back(std::move(logs));
  }

  void look_for_endings(const std::string& directory, int depth,
                        std::set<std::string_view>& endings) {
    for (const std::string& name : names_in(directory)) {
      if (endings.size() == std::size(kEndings)) return;
      const std::string path = directory + "/" + name;
      if (is_directory(path)) {
        if (depth < kDeepest) look_for_endings(path, depth + 1, endings);
        continue;
      }
      for (const std::string_view ending : kEndings)
        if (name.ends_with(ending)) endings.insert(ending);
    }
  }

  std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(below(directory), error), end;
         !error && it != end && names.size() < kMostNames; it.increment(error)) {
      std::string name = it->path().filename().string();
      if (is_utf8(name)) names.push_back(std::move(name));
    }
    if (error == std::errc::permission_denied && found_.closed.size() < kMaxFound)
      found_.closed.push_back(directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool there(const std::string& path) const {
    std::error_code error;
    return fs::exists(below(path), error);
  }
  bool is_directory(const std::string& path) const {
    std::error_code error;
    return fs::is_directory(below(path), error);
  }
  std::string below(const std::string& path) const { return root_ + path; }

  const std::string root_;
  FoundDevice found_;
};

}  // namespace

FoundDevice look_for_logs(const std::string& root) { return Look(root).look(); }

}  // namespace edgehose
