#include "agent/commands/drop_in.h"

#include <fmt/format.h>

namespace edgehose {

std::string how_to_drop_in(std::string_view name, std::string_view setting) {
  const std::string change = setting.empty() ? "" : fmt::format(" with {} in it", setting);
  return fmt::format(
      "the drop-in {0}{2} changes that: "
      "install -D -m 644 -t /etc/systemd/system/edgehose.service.d {1}/{0}, then "
      "systemctl daemon-reload && systemctl restart edgehose",
      name, kDropInPlace, change);
}

}  // namespace edgehose
