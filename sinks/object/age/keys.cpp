#include "sinks/object/age/keys.h"

#include <algorithm>
#include <cstring>

#include "agent/base/text.h"
#include "sinks/object/age/bech32.h"

namespace edgehose {
namespace {

constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "age-secret-key-";

bool starts_with_any_case(std::string_view text, std::string_view lower_prefix) {
  return text.size() >= lower_prefix.size() &&
         std::ranges::equal(text.substr(0, lower_prefix.size()), lower_prefix, {}, [](char c) {
           return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
         });
}

// What people give instead of an X25519 recipient; empty where it may be one.
std::string_view mistaken_recipient(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (starts_with_any_case(text, "age-secret-key-") || starts_with_any_case(text, "age-plugin-"))
    return "this is a private key, which does not belong here: give its public key (age1...), "
           "which `age-keygen -y` prints";
  if (text.starts_with("ssh-"))
    return "SSH keys are not supported: make a key with `edgehose key new`";
  if (text.starts_with("age1pq1") || text.starts_with("age1tag"))
    return "post-quantum and hardware-tag recipients are not supported: give an X25519 recipient "
           "(age1 and 58 characters)";
  // A plugin's recipient names it between two ones (age1yubikey1...); no other 1 can occur.
  if (text.starts_with("age1") && text.find('1', 4) != std::string_view::npos)
    return "recipients of age plugins are not supported: give an X25519 recipient (age1 and 58 "
           "characters)";
  return {};
}

}  // namespace

Result<AgeRecipient> AgeRecipient::parse(std::string_view text) {
  const std::string_view mistake = mistaken_recipient(text);
  if (!mistake.empty()) {
    const bool public_key = text.starts_with("age1");
    return fail(ErrorCode::kInvalid, "age recipient{}: {}",
                public_key ? fmt::format(" \"{}\"", text.substr(0, 80)) : "", mistake);
  }
  auto bytes = age::decode_bech32(kRecipientPrefix, text);
  if (!bytes)
    return fail(ErrorCode::kInvalid, "age recipient \"{}\": {}", text.substr(0, 80),
                bytes.error().message);
  age::Point point;
  if (bytes->size() != point.size())
    return fail(ErrorCode::kInvalid,
                "age recipient \"{}\": it holds {} bytes, an X25519 key has 32", text.substr(0, 80),
                bytes->size());
  std::memcpy(point.data(), bytes->data(), point.size());
  return AgeRecipient(point);
}

std::string AgeRecipient::to_string() const {
  return age::encode_bech32(kRecipientPrefix, age::view(point_));
}

Result<AgeIdentity> AgeIdentity::generate() {
  age::Key secret;
  EH_TRY(random_bytes(secret.bytes.data(), secret.bytes.size()));
  return from_secret(secret);
}

Result<AgeIdentity> AgeIdentity::from_secret(const age::Key& secret) {
  EH_ASSIGN(const age::Point point, age::x25519_public(secret));
  return AgeIdentity(secret, point);
}

Result<AgeIdentity> AgeIdentity::parse(std::string_view text) {
  if (text.starts_with("age1"))
    return fail(ErrorCode::kInvalid,
                "age identity: this is a public key; decrypting takes the private key "
                "(AGE-SECRET-KEY-1...) that belongs to it");
  if (starts_with_any_case(text, "age-secret-key-pq-") || starts_with_any_case(text, "age-plugin-"))
    return fail(ErrorCode::kUnsupported,
                "age identity: post-quantum and plugin identities are not supported: decrypt with "
                "the age tool");
  if (text.starts_with("-----BEGIN"))
    return fail(ErrorCode::kUnsupported,
                "age identity: SSH keys and encrypted identity files are not supported: decrypt "
                "with the age tool");
  auto bytes = age::decode_bech32(kIdentityPrefix, text);
  if (!bytes) return fail(ErrorCode::kInvalid, "age identity: {}", bytes.error().message);
  age::Key secret;
  const bool fits = bytes->size() == secret.bytes.size();
  if (fits) std::memcpy(secret.bytes.data(), bytes->data(), secret.bytes.size());
  wipe(*bytes);
  if (!fits) return fail(ErrorCode::kInvalid, "age identity: it does not hold 32 bytes");
  return from_secret(secret);
}

Result<std::vector<AgeIdentity>> AgeIdentity::parse_file(std::string_view content) {
  std::vector<AgeIdentity> identities;
  unsigned number = 0;
  while (!content.empty()) {
    ++number;
    const std::size_t end = content.find('\n');
    const std::string_view line = trimmed(content.substr(0, end));
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    auto identity = parse(line);
    if (!identity)
      return tl::unexpected<Error>(
          std::move(identity.error()).with_context(fmt::format("line {}", number)));
    identities.push_back(*std::move(identity));
  }
  if (identities.empty())
    return fail(ErrorCode::kInvalid,
                "no identity in it: a line that begins with AGE-SECRET-KEY-1 is expected");
  return identities;
}

std::string AgeIdentity::to_string() const {
  std::string text = age::encode_bech32(kIdentityPrefix, secret_.view());
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace edgehose
