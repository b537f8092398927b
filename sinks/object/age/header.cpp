#include "sinks/object/age/header.h"

#include <algorithm>
#include <cstring>

#include "agent/base/base64.h"

namespace edgehose::age {
namespace {

constexpr std::size_t kBodyColumns = 64;
constexpr std::string_view kX25519 = "X25519";
constexpr std::string_view kX25519Info = "age-encryption.org/v1/X25519";
constexpr Aead::Nonce kZeroNonce{};  // the wrap key is used once

template <class... Args>
tl::unexpected<Error> malformed(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kCorrupt, "age header: {}",
              fmt::format(format, std::forward<Args>(args)...));
}

bool is_argument(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 33 && c <= 126; });
}

Result<Key> wrap_key(const Key& secret, const Point& peer, const Point& share,
                     const Point& recipient) {
  EH_ASSIGN(const Key shared, x25519(secret, peer));
  std::string salt(view(share));
  salt.append(view(recipient));
  return hkdf_sha256(shared.view(), salt, kX25519Info);
}

Result<Stanza> wrap(const FileKey& file_key, const AgeRecipient& recipient) {
  Key ephemeral;
  EH_TRY(random_bytes(ephemeral.bytes.data(), ephemeral.bytes.size()));
  EH_ASSIGN(const Point share, x25519_public(ephemeral));
  auto key = wrap_key(ephemeral, recipient.point(), share, recipient.point());
  if (!key)
    return fail(ErrorCode::kInvalid, "age recipient {}: it is not a usable key ({})",
                recipient.to_string(), key.error().message);
  EH_ASSIGN(Aead aead, Aead::make(*key));
  Stanza stanza{std::string(kX25519), {encode_base64(view(share), false)}, {}};
  EH_TRY(aead.seal(kZeroNonce, file_key.view(), stanza.body));
  return stanza;
}

Result<Point> share_of(const Stanza& stanza) {
  if (stanza.arguments.size() != 1)
    return malformed("an X25519 stanza has {} arguments instead of 1", stanza.arguments.size());
  const auto bytes = decode_base64(stanza.arguments[0], false);
  Point share;
  if (!bytes || bytes->size() != share.size())
    return malformed("the share of an X25519 stanza is not 32 bytes of base64");
  // The length is checked first: a longer file key would allow partitioning attacks.
  if (stanza.body.size() != sizeof(FileKey) + Aead::kTagBytes)
    return malformed("the body of an X25519 stanza is {} bytes instead of 32", stanza.body.size());
  std::memcpy(share.data(), bytes->data(), share.size());
  return share;
}

// True, and the key in `out`, where the identity opens the stanza.
Result<bool> unwrap(const Stanza& stanza, const Point& share, const AgeIdentity& identity,
                    FileKey& out) {
  auto key = wrap_key(identity.secret(), share, share, identity.recipient().point());
  if (!key) return malformed("an X25519 stanza: {}", key.error().message);
  EH_ASSIGN(Aead aead, Aead::make(*key));
  std::string plain;
  EH_ASSIGN(const bool fits, aead.open(kZeroNonce, stanza.body, plain));
  if (fits) std::memcpy(out.bytes.data(), plain.data(), out.bytes.size());
  wipe(plain);
  return fits;
}

tl::unexpected<Error> no_match(const Header& header, std::size_t identities) {
  std::string others;
  for (const Stanza& stanza : header.stanzas)
    if (stanza.type != kX25519 && others.size() < 100)
      others += (others.empty() ? "" : ", ") + stanza.type.substr(0, 32);
  return fail(
      ErrorCode::kAuth,
      "age: none of the {} identities given opens it: it was encrypted to {} other "
      "recipients{}",
      identities, header.stanzas.size(),
      others.empty() ? "" : fmt::format(" (of kinds that are not supported here: {})", others));
}

}  // namespace

Result<bool> HeaderParser::take_line(std::string_view line) {
  header_.authenticated.append(line).push_back('\n');
  if (!versioned_) {
    if (line == kVersionLine.substr(0, kVersionLine.size() - 1)) {
      versioned_ = true;
      return false;
    }
    if (line.starts_with("age-encryption.org/"))
      return fail(ErrorCode::kUnsupported,
                  "age header: this version of the format is not supported, "
                  "only v1 is");
    return malformed("it does not begin with {}: not an age file",
                     kVersionLine.substr(0, kVersionLine.size() - 1));
  }
  if (in_body_) {
    EH_TRY(continue_stanza(line));
    return false;
  }
  if (line.starts_with("---")) {
    EH_TRY(finish(line));
    return true;
  }
  EH_TRY(begin_stanza(line));
  return false;
}

Status HeaderParser::begin_stanza(std::string_view line) {
  if (!line.starts_with("-> ")) return malformed("a line is neither a stanza nor the MAC");
  line.remove_prefix(3);
  Stanza stanza;
  for (bool first = true;; first = false) {
    const std::size_t space = line.find(' ');
    const std::string_view argument = line.substr(0, space);
    if (!is_argument(argument))
      return malformed("a stanza has an argument that is empty or not visible ASCII");
    if (first)
      stanza.type = argument;
    else
      stanza.arguments.emplace_back(argument);
    if (space == std::string_view::npos) break;
    line.remove_prefix(space + 1);
  }
  header_.stanzas.push_back(std::move(stanza));
  in_body_ = true;
  return {};
}

Status HeaderParser::continue_stanza(std::string_view line) {
  if (line.size() > kBodyColumns) return malformed("a line of a stanza's body is over 64 columns");
  const auto bytes = decode_base64(line, false);
  if (!bytes) return malformed("a line of a stanza's body is not canonical base64");
  header_.stanzas.back().body.append(*bytes);
  in_body_ = line.size() == kBodyColumns;
  return {};
}

Status HeaderParser::finish(std::string_view line) {
  if (header_.stanzas.empty()) return malformed("it has no stanza");
  const auto mac = line.starts_with("--- ") ? decode_base64(line.substr(4), false) : std::nullopt;
  if (!mac || mac->size() != 32) return malformed("the MAC is not 32 bytes of canonical base64");
  header_.mac = *mac;
  header_.authenticated.resize(header_.authenticated.size() - line.size() - 1 + 3);
  const auto is_scrypt = [](const Stanza& s) { return s.type == "scrypt"; };
  if (header_.stanzas.size() > 1 && std::ranges::any_of(header_.stanzas, is_scrypt))
    return malformed("a passphrase (scrypt) stanza is not alone");
  return {};
}

std::string encode_stanzas(const std::vector<Stanza>& stanzas) {
  std::string text(kVersionLine);
  for (const Stanza& stanza : stanzas) {
    text.append("-> ").append(stanza.type);
    for (const std::string& argument : stanza.arguments) text.append(" ").append(argument);
    const std::string body = encode_base64(stanza.body, false);
    // The last line is shorter than a full one, so a body of full lines ends with an empty one.
    for (std::size_t at = 0; at <= body.size(); at += kBodyColumns)
      text.append("\n").append(body, at, kBodyColumns);
    text.append("\n");
  }
  return text.append("---");
}

Result<std::string> encode_header(const FileKey& file_key,
                                  const std::vector<AgeRecipient>& recipients) {
  if (recipients.empty()) return fail(ErrorCode::kInvalid, "age: no recipient to encrypt to");
  std::vector<Stanza> stanzas;
  for (const AgeRecipient& recipient : recipients) {
    EH_ASSIGN(Stanza stanza, wrap(file_key, recipient));
    stanzas.push_back(std::move(stanza));
  }
  std::string text = encode_stanzas(stanzas);
  EH_ASSIGN(const Key key, hkdf_sha256(file_key.view(), {}, "header"));
  EH_ASSIGN(const Point mac, hmac_sha256(key, text));
  return text.append(" ").append(encode_base64(view(mac), false)).append("\n");
}

Result<FileKey> unwrap_file_key(const Header& header, const std::vector<AgeIdentity>& identities) {
  FileKey file_key;
  for (const Stanza& stanza : header.stanzas) {
    if (stanza.type != kX25519) continue;
    EH_ASSIGN(const Point share, share_of(stanza));
    for (const AgeIdentity& identity : identities) {
      EH_ASSIGN(const bool opened, unwrap(stanza, share, identity, file_key));
      if (opened) return file_key;
    }
  }
  return no_match(header, identities.size());
}

Result<bool> authentic(const Header& header, const FileKey& file_key) {
  EH_ASSIGN(const Key key, hkdf_sha256(file_key.view(), {}, "header"));
  EH_ASSIGN(const Point mac, hmac_sha256(key, header.authenticated));
  return equal_in_constant_time(view(mac), header.mac);
}

}  // namespace edgehose::age
