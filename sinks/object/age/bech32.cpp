#include "sinks/object/age/bech32.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace edgehose::age {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumLength = 6;

// Five-bit groups; wiped, because they may be a private key.
struct Groups {
  std::vector<std::uint8_t> values;
  ~Groups() { OPENSSL_cleanse(values.data(), values.size()); }
};

std::uint32_t extend(std::uint32_t checksum, std::uint8_t value) {
  constexpr std::uint32_t kGenerator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
  const std::uint32_t top = checksum >> 25;
  checksum = ((checksum & 0x1ffffff) << 5) ^ value;
  for (unsigned i = 0; i < 5; ++i)
    if ((top >> i) & 1) checksum ^= kGenerator[i];
  return checksum;
}

std::uint32_t checksum_of(std::string_view prefix, std::span<const std::uint8_t> groups) {
  std::uint32_t checksum = 1;
  for (const char c : prefix) checksum = extend(checksum, static_cast<std::uint8_t>(c) >> 5);
  checksum = extend(checksum, 0);
  for (const char c : prefix) checksum = extend(checksum, static_cast<std::uint8_t>(c) & 31);
  for (const std::uint8_t g : groups) checksum = extend(checksum, g);
  return checksum;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool mixes_cases(std::string_view text) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  return std::ranges::any_of(text, is_lower) && std::ranges::any_of(text, is_upper);
}

// Groups of five bits to bytes; none where the bits left over are not a zero padding of under five.
std::optional<std::string> to_bytes(std::span<const std::uint8_t> groups) {
  std::string out;
  out.reserve(groups.size() * 5 / 8);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t g : groups) {
    bits = ((bits << 5) | g) & 0xFFF;
    count += 5;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count));
    }
  }
  if (count < 5 && (bits & ((1u << count) - 1)) == 0) return out;
  OPENSSL_cleanse(out.data(), out.size());
  return std::nullopt;
}

Status read_groups(std::string_view prefix, std::string_view text, Groups& groups) {
  groups.values.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t value = kAlphabet.find(lower(text[i]));
    if (value == std::string_view::npos)
      return fail(ErrorCode::kInvalid,
                  "character {} cannot occur in a key (1, b, i and o never do after the prefix)",
                  prefix.size() + 2 + i);
    groups.values.push_back(static_cast<std::uint8_t>(value));
  }
  return {};
}

}  // namespace

std::string encode_bech32(std::string_view prefix, std::string_view bytes) {
  Groups groups;
  groups.values.reserve(bytes.size() * 8 / 5 + 1 + kChecksumLength);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = ((bits << 8) | static_cast<unsigned char>(c)) & 0xFFFF;
    for (count += 8; count >= 5; count -= 5) groups.values.push_back((bits >> (count - 5)) & 31);
  }
  if (count > 0) groups.values.push_back((bits << (5 - count)) & 31);

  const std::size_t payload = groups.values.size();
  groups.values.resize(payload + kChecksumLength, 0);
  const std::uint32_t checksum = checksum_of(prefix, groups.values) ^ 1;
  for (std::size_t i = 0; i < kChecksumLength; ++i)
    groups.values[payload + i] = (checksum >> (5 * (kChecksumLength - 1 - i))) & 31;

  std::string text;
  text.reserve(prefix.size() + 1 + groups.values.size());
  text.append(prefix).push_back('1');
  for (const std::uint8_t g : groups.values) text.push_back(kAlphabet[g]);
  return text;
}

Result<std::string> decode_bech32(std::string_view prefix, std::string_view text) {
  if (mixes_cases(text)) return fail(ErrorCode::kInvalid, "it mixes upper and lower case letters");
  const bool has_prefix = text.size() > prefix.size() && text[prefix.size()] == '1' &&
                          std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, lower);
  if (!has_prefix) return fail(ErrorCode::kInvalid, "it does not begin with {}1", prefix);
  const std::string_view data = text.substr(prefix.size() + 1);
  if (data.size() < kChecksumLength) return fail(ErrorCode::kInvalid, "it is cut short");

  Groups groups;
  EH_TRY(read_groups(prefix, data, groups));
  if (checksum_of(prefix, groups.values) != 1)
    return fail(ErrorCode::kInvalid,
                "its checksum does not fit: a character was changed or lost, copy it again");
  const auto payload = std::span(groups.values).first(groups.values.size() - kChecksumLength);
  auto bytes = to_bytes(payload);
  if (!bytes) return fail(ErrorCode::kInvalid, "its last bits are not padding");
  return *std::move(bytes);
}

}  // namespace edgehose::age
