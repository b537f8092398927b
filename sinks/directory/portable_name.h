// Names that every file system takes: FAT, exFAT and NTFS refuse characters that ext4 does not, a
// mount with utf8 refuses other bytes, and stacked file systems take 143 bytes only.
//
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace edgehose {

constexpr std::size_t kMaxPortableBytes = 143;  // of one component (eCryptfs); others take 255

// A path, all components of which every file system takes: what is not printable ASCII, or one of
// "*:<>?\| or DEL, is written %XX, as are a '.' or ' ' at a component's end and the first letter of
// a name that DOS reserves ("con"); longer components are shortened. The last one, where `path`
// does not end in '/', has `last_room` bytes at most, since something is appended to it.
std::string portable_path(std::string_view path, std::size_t last_room = kMaxPortableBytes);

// What portable_path() would change first, in words: "':' in \"01:30\""; empty: nothing.
std::string unportable_part(std::string_view path);

}  // namespace edgehose
