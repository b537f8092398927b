#include "agent/commands/rsyslog.h"

namespace edgehose {

std::string_view rsyslog_drop_in() {
  return "# /etc/rsyslog.d/10-edgehose.conf: all that this device logs, in one file for\n"
         "# edgehose. What rsyslog would write beside it (syslog, auth.log, kern.log: the\n"
         "# same lines again) is left out by \"stop\": less is written to flash, and no line\n"
         "# is delivered twice. Without \"stop\" both are written.\n"
         "action(type=\"omfile\" file=\"/var/log/all.log\" template=\"RSYSLOG_FileFormat\"\n"
         "       fileOwner=\"root\" fileGroup=\"adm\" fileCreateMode=\"0640\")\n"
         "stop\n";
}

std::string_view rsyslog_rotation() {
  return "# /etc/logrotate.d/edgehose-rsyslog: seven days of /var/log/all.log. edgehose reads\n"
         "# rotations on, also compressed ones.\n"
         "/var/log/all.log\n"
         "{\n"
         "\tdaily\n"
         "\tmaxsize 16M\n"
         "\trotate 7\n"
         "\tmissingok\n"
         "\tnotifempty\n"
         "\tcompress\n"
         "\tdelaycompress\n"
         "\tpostrotate\n"
         "\t\t/usr/lib/rsyslog/rsyslog-rotate\n"
         "\tendscript\n"
         "}\n";
}

}  // namespace edgehose
