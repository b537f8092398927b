// What the service's systemd unit grants, read from its files as systemd merges them: the unit,
// then the drop-ins below /etc in the order of their names. `systemctl` is not asked: it may not be
// there. Pure but for reading the files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/load.h"

namespace edgehose {

// As setrlimit has them; UINT64_MAX: no limit.
struct DescriptorLimits {
  std::uint64_t soft = 0, hard = 0;
  bool operator==(const DescriptorLimits&) const = default;
};

struct ServiceUnit {
  bool installed = false;     // false: no unit was found
  std::string text;           // of all its files, one after the other
  std::string environment{};  // of the files that EnvironmentFile names, as far as they can be read
  // The config at hand is the one that it runs: what it forbids is an error. Set by `check`.
  bool runs_it = false;

  // The words of a setting that is a list ("ReadWritePaths"): each line adds, an empty one clears.
  std::vector<std::string> words(std::string_view setting) const;
  // The values of a setting's lines; an empty one clears.
  std::vector<std::string> lines(std::string_view setting) const;
  // Environment and EnvironmentFile, and the credentials that are passed or set. A value with a
  // specifier ("%H") is left out: only systemd knows what it comes to.
  ServiceGrants grants() const;
  // Whether systemd makes `path`, and gives it to the service's user, before the service starts:
  // StateDirectory, RuntimeDirectory and what is still to be made below them.
  bool makes(const std::string& path) const;
  // Whether it leaves the service `path` to write to: ProtectSystem=strict takes everything but
  // ReadWritePaths and the directories that systemd makes for it.
  bool lets_write(const std::string& path) const;
  // Files that its StandardOutput and StandardError name.
  std::vector<std::string> output_files() const;
  // File descriptors that the service may have: LimitNOFILE, systemd's own limits without one.
  // None: no unit is installed.
  std::optional<DescriptorLimits> descriptor_limits() const;
  // A setting of yes or no; no where it is not set.
  bool is_on(std::string_view setting) const;
  // Whether the service does not see `path`: it has a /tmp of its own (PrivateTmp), and homes are
  // closed (ProtectHome).
  bool hides(std::string_view path) const;
  // Whether it may read what only others may: CAP_DAC_READ_SEARCH.
  bool reads_everything() const;
  // Beside the user's own.
  std::vector<std::string> supplementary_groups() const;
  // Whom the service runs as, by name or number: User, which systemd takes for root where it is not
  // set; without a unit the one that the README makes.
  std::string user() const;
  // Group; empty: the user's own.
  std::string group() const;
  // The config that it runs; as `edgehose run` takes it.
  std::string config() const;
  // Whether systemd makes the user when the service starts.
  bool makes_user() const;
};

// By their names alone.
bool is_at_or_below(std::string_view path, std::string_view directory);

// `root` stands before /etc, /run and /usr: for tests.
ServiceUnit read_service_unit(const std::string& root = "");

}  // namespace edgehose
