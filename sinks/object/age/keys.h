// age's native keys: an X25519 recipient, to encrypt to (age1...), and the identity that decrypts
// (AGE-SECRET-KEY-1...). Source: age-encryption.org/v1, "The X25519 recipient type".
//
// An identity is wiped when it goes; its text is the caller's to wipe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "sinks/object/age/primitives.h"

namespace edgehose {

class AgeRecipient {
 public:
  // kInvalid says what is wrong with the text: a damaged key, a private key, another kind of key
  // (SSH, plugin, post-quantum). A private key is never repeated in the message.
  static Result<AgeRecipient> parse(std::string_view text);
  explicit AgeRecipient(const age::Point& point) : point_(point) {}

  std::string to_string() const;
  const age::Point& point() const { return point_; }
  bool operator==(const AgeRecipient&) const = default;

 private:
  age::Point point_;
};

class AgeIdentity {
 public:
  static Result<AgeIdentity> generate();
  static Result<AgeIdentity> parse(std::string_view text);
  // Identities as age-keygen writes them: one a line, blank lines and lines beginning with #
  // skipped. Errors name the line. At least one.
  static Result<std::vector<AgeIdentity>> parse_file(std::string_view content);

  std::string to_string() const;  // the secret: to a file of mode 0600 and nowhere else
  const AgeRecipient& recipient() const { return recipient_; }
  const age::Key& secret() const { return secret_; }

 private:
  AgeIdentity(const age::Key& secret, const age::Point& point)
      : secret_(secret), recipient_(point) {}
  static Result<AgeIdentity> from_secret(const age::Key& secret);

  age::Key secret_;
  AgeRecipient recipient_;
};

}  // namespace edgehose
