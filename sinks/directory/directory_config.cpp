#include "sinks/directory/directory_config.h"

#include "agent/config/field.h"

namespace edgehose {

using namespace config;

Fields<DirectoryConfig> directory_fields() {
  return {
      include<&DirectoryConfig::common>(sink_fields()),
      field<&DirectoryConfig::path>("path", kRequired,
                                    "The directory that objects go below. Below /media, /mnt and "
                                    "/run/media it is never created: a stick that is not mounted "
                                    "is not replaced by a directory.")
          .check(not_absolute)
          .example("\"/media/usb/logs\""),
      include<&DirectoryConfig::object>(object_fields()),
  };
}

}  // namespace edgehose
