// The drop-ins for the service's unit that come with edgehose (systemd/drop-ins): which one a
// config needs, and how it is put in place.
//
// Pure; their names are those of the files there.
#pragma once

#include <string>
#include <string_view>

namespace edgehose {

constexpr std::string_view kDropInPlace = "/usr/share/edgehose/drop-ins";  // of the packages

constexpr std::string_view kAllLogs = "all-logs.conf";      // reads what only others may
constexpr std::string_view kHomeLogs = "home-logs.conf";    // sees homes
constexpr std::string_view kTmpLogs = "tmp-logs.conf";      // sees the system's /tmp
constexpr std::string_view kMedia = "media.conf";           // writes below /media, /mnt, /run/media
constexpr std::string_view kDirectory = "directory.conf";   // writes to a path that is filled in
constexpr std::string_view kManyFiles = "many-files.conf";  // more descriptors than are raised to

// "the drop-in NAME changes that: install ..., then systemctl daemon-reload && systemctl restart
// edgehose". `setting`: the line that has to stand in it; empty: it is right as it is.
std::string how_to_drop_in(std::string_view name, std::string_view setting = {});

}  // namespace edgehose
