// What the parts of `edgehose check` find, each a function of the config and this machine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/commands/service_unit.h"
#include "agent/config/agent_config.h"
#include "agent/run/registry.h"
#include "buffer/disk_room.h"
#include "buffer/store.h"
#include "sinks/delivery/trial.h"

namespace edgehose {

// Collected, then told together. Errors are what would fail at the start or for ever; warnings what
// can be lived with or may be meant.
struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// --- check_resources.cpp: pure but for the number of files ---------------------------------------

struct ResourcePart {
  std::string what;
  std::uint64_t bytes = 0;
};
struct Resources {
  std::vector<ResourcePart> memory;  // anonymous, worst case
  std::vector<ResourcePart> disk;    // below data_dir, worst case
};
// `files`: how many the sources match, in their order.
Resources worst_case(const Config& config, std::uint64_t buffer_limit,
                     const std::vector<std::uint64_t>& files);
std::uint64_t total(const std::vector<ResourcePart>& parts);

// --- check_disk.cpp: pure ------------------------------------------------------------------------

struct DiskUse {  // bytes
  DiskRoom disk;  // of the file system that data_dir is or will be on; owned: all that the
                  // buffer has of it already
  std::uint64_t limit = 0;     // of the buffer
  std::uint64_t worst = 0;     // what all below data_dir may come to
  bool holds_records = false;  // what sinks take of it makes room
};
// Tells what of the worst case has no room there.
void tell_disk(const Config& config, const DiskUse& use, Findings& findings);

// --- check_descriptors.cpp -----------------------------------------------------------------------

// `unit`: its limits count where it is installed; what does not fit them is an error where it runs
// this config.
void check_descriptors(const Config& config, const ServiceUnit& unit, Findings& findings);

// --- check_sinks.cpp: sinks that are made for what can be asked of them --------------------------

using MadeSinks = std::vector<Result<SinkParts>>;  // in the order of the config
MadeSinks make_sinks(const Config& config, const std::string& agent_id);

// --- check_sources.cpp ---------------------------------------------------------------------------

struct SourceCheck {
  std::string name;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // that a first start would ship
};
// `sinks`: their objects are not read again, as data_dir is not. `output`: descriptors; the files
// behind them are this process's own words.
std::vector<SourceCheck> check_sources(const Config& config, const MadeSinks& sinks,
                                       const ServiceUnit& unit, const std::vector<int>& output,
                                       const Clock& clock, Findings& findings);

// --- check_store.cpp -----------------------------------------------------------------------------

struct StoreCheck {
  std::optional<Epoch> epoch;  // of the buffer; none: there is none yet
  std::uint64_t limit = 0;
  // Cursors without a sink in the config, or that its inputs left behind, in words.
  std::vector<std::string> orphans;
  std::map<std::string, std::string> notes;  // of sinks, by name: SinkState::note
  std::uint64_t allocated = 0;               // what the buffer has of the disk
  bool holds_records = false;
  std::string hint;  // what would spare the flash; empty: nothing to say
};
// `unit`: a directory that it makes need not be there.
StoreCheck check_store(const Config& config, const ServiceUnit& unit, const Clock& clock,
                       Findings& findings);

// --- check_sinks.cpp -----------------------------------------------------------------------------

struct SinkCheck {
  std::string name, type;
  std::string destination;  // with one rendered key
  std::string key;          // that one; empty: it cannot be made
  bool hopeless = false;    // an error of it was told: its destination is not tried
};
// `store`: without an epoch the key shows zeros in its place. `unit`: what it forbids is told where
// it is installed; an error where it runs this config.
std::vector<SinkCheck> check_sinks(const Config& config, const MadeSinks& sinks,
                                   const StoreCheck& store, const ServiceUnit& unit,
                                   const Clock& clock, Findings& findings);
// Where the unit does not let the service write to `path`: an error where it runs this config.
// `what`: whose path it is, for the message.
void tell_read_only(const std::string& what, const std::string& path, const ServiceUnit& unit,
                    Findings& findings);

// --- check_connections.cpp -----------------------------------------------------------------------

struct ConnectionCheck {
  std::string name, type;
  std::vector<Trial> trials;
};
// Asks every sink's destination; what fails is an error. `sinks`: what check_sinks() found. `user`:
// whom rights are to be granted to.
std::vector<ConnectionCheck> check_connections(const Config& config,
                                               const std::vector<SinkCheck>& sinks,
                                               const std::string& user, Clock& clock,
                                               Findings& findings);

}  // namespace edgehose
