// The keys that wrap an object's data key: WrappingKey on the device (an RSA public key, or an AES
// key), UnwrappingKey where objects are opened (an RSA private key, or the same AES key).
//
//   AES/GCM        12 random bytes, the data key under AES-256-GCM, 16 bytes of tag; the name of
//                  the content's algorithm is the associated data
//   RSA-OAEP-SHA1  OAEP (RFC 8017, SHA-1, MGF1 with SHA-1, no label) of: the data key's length in
//                  one byte, the data key, the name of the content's algorithm
//
// Threading: values. No message repeats a key.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "sinks/object/s3ec/envelope.h"
#include "sinks/object/s3ec/primitives.h"

struct evp_pkey_st;

namespace edgehose::s3ec {

using Pkey = std::shared_ptr<evp_pkey_st>;

constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;

// A public key in PEM ("BEGIN PUBLIC KEY" or "BEGIN RSA PUBLIC KEY") as DER (RFC 5280's
// SubjectPublicKeyInfo). kInvalid: it is none, is a private one, or is not RSA of such a size.
Result<std::string> rsa_public_key(std::string_view pem);

// 32 bytes, or their base64 with or without a line end. kInvalid says what is there instead.
Result<DataKey> aes_key(std::string_view content);

class WrappingKey {
 public:
  static Result<WrappingKey> rsa(std::string_view der);  // of rsa_public_key; kInvalid
  static WrappingKey aes(const DataKey& key);

  Wrap kind() const { return rsa_ ? Wrap::kRsaOaepSha1 : Wrap::kAesGcm; }
  Result<std::string> wrap(Format format, const DataKey& data_key) const;

 private:
  WrappingKey() = default;
  Pkey rsa_;  // null: AES
  DataKey aes_;
};

class UnwrappingKey {
 public:
  // A file's content: a private RSA key in PEM, without a passphrase; or as aes_key. kInvalid.
  static Result<UnwrappingKey> parse(std::string_view content);

  Wrap kind() const { return rsa_ ? Wrap::kRsaOaepSha1 : Wrap::kAesGcm; }
  // kAuth: this is not the key. kCorrupt: it is, and what was wrapped is no data key.
  Result<DataKey> unwrap(const Envelope& envelope) const;

 private:
  UnwrappingKey() = default;
  Pkey rsa_;  // null: AES
  DataKey aes_;
};

}  // namespace edgehose::s3ec
