// For a device that keeps its log in the systemd journal alone: what rsyslog needs to write it as a
// file that the service can read, once and no more, and what logrotate needs to keep that file
// small. The texts are complete files, for /etc/rsyslog.d and /etc/logrotate.d.
#pragma once

#include <string_view>

namespace edgehose {

// Mode 0640, group adm, which the service's unit has.
constexpr std::string_view kRsyslogFile = "/var/log/all.log";

std::string_view rsyslog_drop_in();
std::string_view rsyslog_rotation();

}  // namespace edgehose
