// Who this machine is: what tells a buffer that it lies on a cloned card, an image or a copy.
//
// A machine is a set of parts, each known by its number and a hash. Not everybody can read all of
// them (the DMI product UUID is root's), so two sets are compared by the parts that both have.
//
// Everything under /sys, /proc and /etc is read below a `root`, so that a test brings its own.
// Threading: pure functions of the file system; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

// The numbers are stored: they never change, and a later release may add some.
enum class MachinePart : std::uint8_t {
  kMachineId = 1,         // /etc/machine-id
  kFilesystem = 2,        // of data_dir: filesystem_id() in device.h
  kDirectory = 3,         // data_dir itself: birth time, and its inode where that outlives a mount
  kDeviceTreeSerial = 4,  // the board's
  kDmiUuid = 5,           // of a PC; readable by root only
  kMacAddress = 6,        // of the first network card that is hardware
};
std::string_view name(MachinePart part);

// Of each part that could be read: 16 bytes of the SHA-256 of its number and its text.
using Machine = std::map<MachinePart, std::array<std::uint8_t, 16>>;

Result<Machine> look_at_machine(const std::string& data_dir, const std::string& root = "");

// What both know and what differs; empty: the same machine, as far as can be told. Of the hardware
// (the last three parts) only the first that both know counts: a network card may be replaced.
std::vector<MachinePart> differences(const Machine& before, const Machine& now);

}  // namespace edgehose
