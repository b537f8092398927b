// The lines of a made-up gateway's log: Modbus polls, MQTT publishes, syslog lines, JSON lines.
// Line n is a pure function of (LineOptions, n), so a checker knows every byte of it without having
// seen the log. Each line carries `id=RUN-0000000123` once, and never holds LF.
//
// Threading: values; no shared state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edgehose::gateway {

enum class Bytes {
  kAscii,  // printable ASCII only
  kUtf8,   // some lines with UTF-8 of two to four bytes
  kAny,    // some with NUL, ESC, and bytes that are not UTF-8
};

struct LineOptions {
  std::string run = "RUN";
  std::uint64_t seed = 1;
  double lines_per_second = 1000;  // the distance of the stamps in the lines, not of the writes
  std::uint64_t long_every = 0;    // each that many lines one long one; 0: none
  std::uint64_t long_bytes = 64 * 1024;
  Bytes bytes = Bytes::kAscii;
};

// Appends line n, without LF.
void append_line(const LineOptions& options, std::uint64_t n, std::string& out);

// The n of the first `id=RUN-nnnnnnnnnn` in the text.
std::optional<std::uint64_t> find_id(std::string_view run, std::string_view text);

// A mix of the bits of x (splitmix64's finalizer): a random number that is a function of x.
std::uint64_t mix(std::uint64_t x);

}  // namespace edgehose::gateway
