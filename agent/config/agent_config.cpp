#include "agent/config/agent_config.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>

#include "agent/config/agent_id.h"

namespace edgehose {

using namespace config;
using namespace std::chrono_literals;

namespace {

std::string wrong_socket(const std::string& path) {
  constexpr std::size_t kMax = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMax)
    return fmt::format("is longer than the {} bytes of a socket's path", kMax);
  return not_absolute(path);
}

std::string wrong_labels(const std::map<std::string, std::string>& labels) {
  constexpr std::size_t kMaxLabels = 32, kMaxName = 64, kMaxValue = 256;
  if (labels.size() > kMaxLabels)
    return fmt::format("{} labels; at most {}", labels.size(), kMaxLabels);
  for (const auto& [name, value] : labels) {
    const bool named = !name.empty() && name.size() <= kMaxName &&
                       std::all_of(name.begin(), name.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_' || c == '-';
                       });
    if (!named)
      return fmt::format(
          "{} is no name for a label: use letters, digits, \"_\" and \"-\", at most {} of them",
          quote(name.substr(0, kMaxName)), kMaxName);
    const bool printable = std::none_of(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
    if (!printable || value.size() > kMaxValue)
      return fmt::format("the value of {} must be printable, at most {} bytes", quote(name),
                         kMaxValue);
  }
  return {};
}

std::string wrong_timezone(const std::string& name) {
  const bool plain = !name.empty() && name[0] != '/' && name.find("..") == std::string::npos &&
                     name.find_first_of(" \t\\") == std::string::npos;
  if (!plain) return "must be an IANA name such as \"Europe/Berlin\", or \"UTC\"";
  struct stat info {};
  const bool known =
      name == "UTC" ||
      (::stat(("/usr/share/zoneinfo/" + name).c_str(), &info) == 0 && S_ISREG(info.st_mode));
  return known ? ""
               : fmt::format(
                     "{} is not in this system's tzdata: check the spelling "
                     "(\"Europe/Berlin\", \"UTC\") or install the package tzdata",
                     quote(name));
}

// It would leave the buffer in plain text where somebody meant to encrypt it.
std::string wrong_keys(const std::vector<SecretRef>& keys) {
  return keys.empty() ? "must not be empty; leave it out for a buffer that is not encrypted" : "";
}

std::pair<std::string, WhenFull> named(WhenFull policy) {
  return {std::string(name(policy)), policy};
}

}  // namespace

std::string_view name(WhenFull policy) {
  switch (policy) {
    case WhenFull::kBlock: return "block";
    case WhenFull::kDropOldest: return "drop_oldest";
    case WhenFull::kDropNewest: return "drop_newest";
  }
  return "";
}

Fields<AgentConfig> agent_fields() {
  using log::Level;
  return {
      text_or_file<&AgentConfig::id>(
          "id",
          "Names this device in object keys and documents. Letters, digits, "
          "`.`, `_` and `-`, at most 128.")
          .check(wrong_agent_id)
          .unset_means("derived from the machine id, kept in DATA_DIR/agent-id")
          .example("\"gw-0042\""),
      field<&AgentConfig::data_dir>("data_dir", "Where the buffer is kept.").check(not_absolute),
      field<&AgentConfig::labels>("labels", "Reach prefixes: `!{label:NAME}`.")
          .check(wrong_labels)
          .unset_means("none")
          .example("{ site = \"north\", line = \"7\" }"),
      field<&AgentConfig::timezone>("timezone", "Of timestamps in prefixes: an IANA name.")
          .check(wrong_timezone),
      choice<&AgentConfig::log_level>("log_level",
                                      {{"trace", Level::kTrace},
                                       {"debug", Level::kDebug},
                                       {"info", Level::kInfo},
                                       {"warn", Level::kWarn},
                                       {"error", Level::kError},
                                       {"off", Level::kOff}},
                                      "What the agent tells of itself, on standard error."),
      field<&AgentConfig::status_socket>("status_socket", "Where `edgehose status` asks.")
          .check(wrong_socket)
          .unset_means(
              "/run/edgehose/status.sock where that directory exists, else DATA_DIR/status.sock")
          .example("\"/run/edgehose/status.sock\""),
      size_field<&AgentConfig::max_upload_rate>(
          "max_upload_rate", "Bytes a second that all sinks together send over networks at most.")
          .range(1 << 10, 1ull << 40)
          .unset_means("no limit")
          .example("\"50KiB\""),
      field<&AgentConfig::metered>("metered",
                                   "The link is paid for by the byte: 5 minutes is the default "
                                   "`batch.max_age` of every sink, whatever its type's own is."),
  };
}

Fields<BufferConfig> buffer_fields() {
  return {
      size_field<&BufferConfig::max_size>(
          "max_size",
          "What buffered records may take of the disk. `edgehose check` prints what all "
          "of data_dir takes at worst.")
          .range(8 << 20, 1ull << 40)
          .unset_means("the smaller of 512 MiB and 5 % of the file system, but 32 MiB at least")
          .example("\"512MiB\""),
      choice<&BufferConfig::when_full>(
          "when_full",
          {named(WhenFull::kBlock), named(WhenFull::kDropOldest), named(WhenFull::kDropNewest)},
          "When the buffer is full: stop reading, or drop and count."),
      choice<&BufferConfig::storage>(
          "storage",
          {{"auto", StorageChoice::kAuto},
           {"sd_card", StorageChoice::kSdCard},
           {"ssd", StorageChoice::kSsd}},
          "What the disk is like. `sd_card` commits rarely, to spare flash; "
          "`auto` looks at the device."),
      field<&BufferConfig::commit_interval>("commit_interval",
                                            "How long records that can be read again may wait for "
                                            "their commit.")
          .range(10ms, 10min)
          .unset_means("as the storage profile says")
          .example("\"5s\""),
      field<&BufferConfig::encryption_keys>(
          "encryption_keys",
          "Encrypts the buffer at rest. Newest first: the first one "
          "seals, the others open what older ones sealed.")
          .check(wrong_keys)
          .unset_means("not encrypted")
          .example("[{ file = \"/etc/edgehose/buffer.key\" }]"),
      field<&BufferConfig::free_disk_percent>(
          "free_disk_percent", "Of the file system, left free whatever `max_size` says.")
          .range(0, 90),
      size_field<&BufferConfig::dead_letter_quota>(
          "dead_letter_quota",
          "For records that a destination refused for good, kept for a person to look at. Where "
          "it is full their sinks stop, and keep everything, until there is room again.")
          .range(0, 1ull << 30),
  };
}

std::string status_socket_path(const AgentConfig& agent) {
  if (!agent.status_socket.empty()) return agent.status_socket;
  struct stat info {};
  if (::stat("/run/edgehose", &info) == 0 && S_ISDIR(info.st_mode))
    return "/run/edgehose/status.sock";
  return agent.data_dir + "/status.sock";
}

}  // namespace edgehose
