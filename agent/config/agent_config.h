// The whole config, as values: [agent], [buffer], and the sources and sinks, whose structs belong
// to their own folders.
#pragma once

#include <any>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/config/field.h"
#include "agent/config/secret.h"

namespace edgehose {

struct AgentConfig {
  std::string id;  // empty: derived, see agent_id.h
  std::string data_dir = "/var/lib/edgehose";
  std::map<std::string, std::string> labels;
  std::string timezone = "UTC";  // an IANA name
  log::Level log_level = log::Level::kInfo;
  std::string status_socket;                     // empty: see status_socket_path()
  std::optional<std::uint64_t> max_upload_rate;  // bytes a second, of all sinks together
  bool metered = false;                          // the link is paid for by the byte
};

enum class WhenFull { kBlock, kDropOldest, kDropNewest };
std::string_view name(WhenFull policy);  // "drop_oldest", as the config says it
enum class StorageChoice { kAuto, kSdCard, kSsd };

struct BufferConfig {
  std::optional<std::uint64_t> max_size;  // bytes; unset: 5 % of the file system, 32 to 512 MiB
  WhenFull when_full = WhenFull::kBlock;
  StorageChoice storage = StorageChoice::kAuto;
  std::optional<Duration> commit_interval;        // unset: the profile's
  std::vector<SecretRef> encryption_keys;         // newest first; empty: not encrypted
  unsigned free_disk_percent = 5;                 // of the file system, never used by the buffer
  std::uint64_t dead_letter_quota = 16ull << 20;  // bytes
};

// A source or sink: [sources.NAME] or [sinks.NAME] with type = TYPE.
struct Component {
  std::string name;
  std::string type;
  config::Origin origin;  // of its table
  std::any config;        // the type's struct, as the schema made it

  // The struct: as<DirectoryConfig>(). C must be what `type` was registered with.
  template <class C>
  const C& as() const {
    return *std::any_cast<C>(&config);
  }
};

struct Config {
  AgentConfig agent;
  BufferConfig buffer;
  std::vector<Component> sources;  // in the order of the files
  std::vector<Component> sinks;
};

config::Fields<AgentConfig> agent_fields();
config::Fields<BufferConfig> buffer_fields();

// As configured, else /run/edgehose/status.sock where that directory exists, else
// DATA_DIR/status.sock.
std::string status_socket_path(const AgentConfig& agent);

}  // namespace edgehose
