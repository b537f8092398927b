#include "agent/commands/gateway_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace edgehose::gateway {
namespace {

// 2026-11-23T00:00:00Z
constexpr std::int64_t kStart = 1795392000;

void digits(std::string& out, std::uint64_t value, int width) {
  std::array<char, 20> text;
  for (int i = width; i-- > 0; value /= 10)
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  out.append(text.data(), static_cast<std::size_t>(width));
}

void number(std::string& out, std::int64_t value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

// A positive value with two decimals.
void hundredths(std::string& out, double value) {
  const auto whole = static_cast<std::uint64_t>(std::llround(value * 100));
  number(out, static_cast<std::int64_t>(whole / 100));
  out += '.', digits(out, whole % 100, 2);
}

// ISO 8601 in UTC with milliseconds (days to civil date: H. Hinnant's well-known algorithm).
void stamp(std::string& out, double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  const std::int64_t t = kStart + whole;
  const auto z = static_cast<std::uint64_t>(t / 86400 + 719468);
  const std::uint64_t era = z / 146097, doe = z % 146097;
  const std::uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  const std::uint64_t month = mp < 10 ? mp + 3 : mp - 9;
  const auto second = static_cast<std::uint64_t>(t % 86400);
  digits(out, yoe + era * 400 + (month <= 2 ? 1 : 0), 4);
  out += '-', digits(out, month, 2);
  out += '-', digits(out, doy - (153 * mp + 2) / 5 + 1, 2);
  out += 'T', digits(out, second / 3600, 2);
  out += ':', digits(out, second / 60 % 60, 2);
  out += ':', digits(out, second % 60, 2);
  out += '.',
      digits(out, static_cast<std::uint64_t>((seconds - static_cast<double>(whole)) * 1000), 3);
  out += 'Z';
}

void id(std::string& out, const LineOptions& options, std::uint64_t n) {
  out += "id=";
  out += options.run;
  out += '-';
  digits(out, n, 10);
}

// A measured value: a slow swing around a level of its own, with a little noise.
double reading(std::uint64_t device, std::uint64_t n, std::uint64_t random) {
  const double level = 20.0 + static_cast<double>(device * 7 % 60);
  return level + 5.0 * std::sin(static_cast<double>(n) / 9000.0 + static_cast<double>(device)) +
         static_cast<double>(random % 32) / 20.0;
}

void modbus(std::string& out, const LineOptions& options, std::uint64_t n, std::uint64_t r) {
  const std::uint64_t unit = 1 + r % 12;
  out += " gw-0042 modbus[812]: ", id(out, options, n);
  out += " unit=", number(out, static_cast<std::int64_t>(unit));
  out += " fn=3 addr=", number(out, static_cast<std::int64_t>(40001 + unit * 20));
  out += " regs=[";
  for (std::uint64_t i = 0; i < 6; ++i) {
    if (i) out += ',';
    number(out,
           static_cast<std::int64_t>(reading(unit * 8 + i, n, i < 4 ? r >> (8 + 8 * i) : 0) * 10));
  }
  out += "] rtt=", number(out, static_cast<std::int64_t>(8 + (r >> 32) % 24));
  out += "ms status=ok";
}

void mqtt(std::string& out, const LineOptions& options, std::uint64_t n, std::uint64_t r) {
  static constexpr std::array<std::string_view, 6> kWhat = {"temperature", "pressure", "vibration",
                                                            "current",     "speed",    "torque"};
  const std::uint64_t motor = 1 + r % 8, what = (r >> 8) % kWhat.size();
  out += " gw-0042 mqtt[640]: ", id(out, options, n);
  out += " PUBLISH topic=plant/north/line7/motor", number(out, static_cast<std::int64_t>(motor));
  out += '/', out += kWhat[static_cast<std::size_t>(what)];
  out += " qos=1 retain=0 payload={\"v\":", hundredths(out, reading(motor * 8 + what, n, r >> 16));
  out += ",\"q\":192,\"n\":", number(out, static_cast<std::int64_t>(n / 16)), out += '}';
}

void syslog(std::string& out, const LineOptions& options, std::uint64_t n, std::uint64_t r) {
  static constexpr std::array<std::string_view, 8> kText = {
      "systemd[1]: Started Collect line statistics.",
      "systemd[1]: stats.service: Deactivated successfully.",
      "kernel: usb 1-1.2: reset high-speed USB device number 4 using xhci_hcd",
      "dhcpcd[433]: wlan0: carrier acquired",
      "plc-bridge[701]: session with 192.168.10.21 re-established after keep-alive timeout",
      "plc-bridge[701]: WARNING unit 9 did not answer within 500 ms, attempt 1 of 3",
      "chronyd[398]: Selected source 192.168.10.1",
      "sshd[1204]: Connection closed by 192.168.10.55 port 50122 [preauth]"};
  out += " gw-0042 ", out += kText[r % kText.size()];
  out += ' ', id(out, options, n);
}

void json(std::string& out, const LineOptions& options, std::uint64_t n, std::uint64_t r,
          double at) {
  out += "{\"time\":\"", stamp(out, at);
  out += "\",\"level\":\"", out += r % 20 == 0 ? "warn" : "info";
  out += "\",\"app\":\"cell-controller\",\"msg\":\"cycle finished ", id(out, options, n);
  out += "\",\"cell\":", number(out, static_cast<std::int64_t>(1 + r % 4));
  out += ",\"program\":\"P-", number(out, static_cast<std::int64_t>(1180 + (r >> 8) % 5));
  out += "\",\"cycle_ms\":", number(out, static_cast<std::int64_t>(4180 + (r >> 16) % 64));
  out += ",\"good\":true,\"reject\":0}";
}

// Bytes that are there to be mishandled: quotes and backslashes, UTF-8, and with kAny also NUL, ESC
// and sequences that are not UTF-8.
void odd_bytes(std::string& out, Bytes bytes, std::uint64_t r) {
  using namespace std::string_view_literals;
  static constexpr std::array<std::string_view, 4> kUtf8 = {
      " Straße=\"Grün\\weg\""sv, " Ω=4.7kΩ"sv, " 温度=21"sv, " \xF0\x9F\x94\xA7=ok\ttab"sv};
  static constexpr std::array<std::string_view, 4> kAny = {
      " raw=\0\x01\x02\x7F"sv, " esc=\x1B[31m"sv, " bad=\xC3\x28\xFF\xFE"sv, " cut=\xE2\x82"sv};
  out += kUtf8[r % 4];
  if (bytes == Bytes::kAny) out += kAny[(r >> 8) % 4];
}

void lengthen(std::string& out, std::uint64_t size, std::uint64_t n) {
  out += " dump=";
  for (std::uint64_t i = 0; out.size() < size; ++i) {
    digits(out, (n + i) % 100000, 5);
    out += ',';
  }
}

}  // namespace

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

void append_line(const LineOptions& options, std::uint64_t n, std::string& out) {
  const std::size_t begin = out.size();
  const std::uint64_t r = mix(options.seed * 0x100000001B3 + n);
  const double at = static_cast<double>(n) / options.lines_per_second;
  const std::uint64_t kind = (r >> 56) % 20;
  if (kind < 16) stamp(out, at);
  if (kind < 8)
    modbus(out, options, n, r);
  else if (kind < 13)
    mqtt(out, options, n, r);
  else if (kind < 16)
    syslog(out, options, n, r);
  else
    json(out, options, n, r, at);
  if (options.bytes != Bytes::kAscii && (r >> 48) % 8 == 0) odd_bytes(out, options.bytes, r >> 24);
  if (options.long_every && n % options.long_every == options.long_every - 1) {
    std::string tail;
    lengthen(tail,
             options.long_bytes - std::min<std::uint64_t>(options.long_bytes, out.size() - begin),
             n);
    out += tail;
  }
}

std::optional<std::uint64_t> find_id(std::string_view run, std::string_view text) {
  for (std::size_t at = text.find("id="); at != std::string_view::npos;
       at = text.find("id=", at + 1)) {
    std::string_view rest = text.substr(at + 3);
    if (!rest.starts_with(run)) continue;
    rest.remove_prefix(run.size());
    if (rest.size() < 11 || rest[0] != '-') continue;
    std::uint64_t n = 0;
    const char* const end = rest.data() + 11;
    if (std::from_chars(rest.data() + 1, end, n).ptr == end) return n;
  }
  return std::nullopt;
}

}  // namespace edgehose::gateway
