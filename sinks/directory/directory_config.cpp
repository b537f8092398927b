#include "sinks/directory/directory_config.h"

#include <filesystem>

#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

std::string made_by_the_kernel(const std::string& path) {
  const std::string normal = std::filesystem::path(path + "/").lexically_normal();
  return normal.starts_with("/proc/") || normal.starts_with("/sys/")
             ? "is made up by the kernel and keeps no files; put the objects on a disk"
             : "";
}

}  // namespace

Fields<DirectoryConfig> directory_fields() {
  return {
      include<&DirectoryConfig::common>(sink_fields()),
      field<&DirectoryConfig::path>("path", kRequired,
                                    "The directory that objects go below. Below /media, /mnt and "
                                    "/run/media it is never created: a stick that is not mounted "
                                    "is not replaced by a directory.")
          .check(not_absolute)
          .check(made_by_the_kernel)
          .example("\"/media/usb/logs\""),
      include<&DirectoryConfig::object>(object_fields(KeepsMetadata::kNo)),
  };
}

}  // namespace edgehose
