#include "sinks/directory/portable_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sinks/object/object_name.h"

namespace edgehose {
namespace {

bool is_portable(char c) {
  return c > ' ' && c < '\x7F' && std::string_view("\"*:<>?\\|").find(c) == std::string_view::npos;
}

std::string encoded(char c) { return fmt::format("%{:02X}", static_cast<unsigned char>(c)); }

// "con", "LPT1.txt": devices to DOS, whatever the case and the extension.
bool is_device(std::string_view component) {
  std::string stem(component.substr(0, component.find('.')));
  std::transform(stem.begin(), stem.end(), stem.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  constexpr std::array<std::string_view, 4> kDevices{"CON", "PRN", "AUX", "NUL"};
  if (std::find(kDevices.begin(), kDevices.end(), stem) != kDevices.end()) return true;
  return stem.size() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT")) &&
         stem[3] >= '0' && stem[3] <= '9';
}

// `ends`: nothing is appended to it.
std::string portable_component(std::string_view component, bool ends, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < component.size(); ++i) {
    const char c = component[i];
    const bool last = ends && i + 1 == component.size();
    const bool device = ends && i == 0 && is_device(component);
    const bool kept = (is_portable(c) && !(c == '.' && last)) || (c == ' ' && !last);
    out += kept && !device ? std::string(1, c) : encoded(c);
  }
  return out.size() <= limit ? out : shortened(out, limit);
}

std::string shown(char c) {
  if (c > ' ' && c < '\x7F') return fmt::format("'{}'", c);
  return c == ' ' ? "the space" : fmt::format("the byte 0x{:02X}", static_cast<unsigned char>(c));
}

std::string why_unportable(std::string_view component) {
  for (const char c : component)
    if (!is_portable(c) && c != ' ') return shown(c) + " in";
  if (component.size() > kMaxPortableBytes) return fmt::format("the {} bytes of", component.size());
  if (component.ends_with('.') || component.ends_with(' '))
    return shown(component.back()) + " at the end of";
  return is_device(component) ? "the name of a device," : "";
}

}  // namespace

std::string portable_path(std::string_view path, std::size_t last_room) {
  std::string out;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t slash = path.find('/', begin);
    const bool whole = slash != std::string_view::npos;
    const std::string_view component = path.substr(begin, whole ? slash - begin : slash);
    out += portable_component(component, whole, whole ? kMaxPortableBytes : last_room);
    if (!whole) break;
    out += '/';
    begin = slash + 1;
  }
  return out;
}

std::string unportable_part(std::string_view path) {
  constexpr std::size_t kShownBytes = 60;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view component = path.substr(begin, end - begin);
    if (const std::string why = why_unportable(component); !why.empty())
      return fmt::format("{} \"{}\"", why, component.substr(0, kShownBytes));
    begin = end + 1;
  }
  return "";
}

}  // namespace edgehose
