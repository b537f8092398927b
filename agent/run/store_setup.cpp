// What the config's [buffer] comes to on this machine.
#include <algorithm>
#include <cerrno>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/run/agent.h"
#include "buffer/device.h"
#include "buffer/keys.h"

namespace edgehose {
namespace {

// Beside a full buffer the device needs room for its own work; and a card of 4 GB is common.
constexpr std::uint64_t kDefaultMaxSize = 512ull << 20;
constexpr std::uint64_t kDefaultShare = 20;  // one part of the file system in so many
constexpr std::uint64_t kSmallestMaxSize = 32ull << 20;

// A data_dir that is still to be made will lie on the file system of what is there above it.
std::uint64_t default_max_size(std::string data_dir) {
  Result<DiskSpace> space = disk_space(data_dir);
  while (!space && space.error().sys == ENOENT && data_dir != "/") {
    data_dir = parent_directory(data_dir);
    space = disk_space(data_dir);
  }
  if (!space) return kDefaultMaxSize;
  return std::clamp(space->size / kDefaultShare, kSmallestMaxSize, kDefaultMaxSize);
}

}  // namespace

Result<StoreOptions> store_options(const Config& config, std::vector<Error>* unread) {
  StoreOptions options;
  options.directory = config.agent.data_dir;
  options.max_size = config.buffer.max_size.value_or(default_max_size(config.agent.data_dir));
  options.free_disk_percent = config.buffer.free_disk_percent;
  options.dead_letter_quota = config.buffer.dead_letter_quota;
  for (const SecretRef& ref : config.buffer.encryption_keys) {
    const auto secret = ref.read();
    if (!secret && unread != nullptr) {
      unread->push_back(secret.error());
      continue;
    }
    if (!secret) return tl::unexpected(secret.error());
    EH_ASSIGN(WrappingKey key, parse_wrapping_key(ref.text(), secret->reveal()));
    options.keys.push_back(std::move(key));
  }
  return options;
}

CommitProfile commit_profile(const Config& config) {
  StorageProfile profile = StorageProfile::kSdCard;
  switch (config.buffer.storage) {
    case StorageChoice::kAuto: profile = find_device(config.agent.data_dir).profile; break;
    case StorageChoice::kSdCard: break;
    case StorageChoice::kSsd: profile = StorageProfile::kSsd; break;
  }
  const bool card = profile == StorageProfile::kSdCard;
  CommitProfile commits;
  commits.name = name(profile);
  commits.commit_limit = config.buffer.commit_interval.value_or(
      card ? Duration(std::chrono::seconds(60)) : Duration(std::chrono::seconds(5)));
  commits.ack_limit = card ? std::chrono::seconds(30) : std::chrono::seconds(5);
  return commits;
}

}  // namespace edgehose
