// Options that every sink shares which stores objects: their name, their form, who can open them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/config/fields_fwd.h"
#include "agent/config/secret.h"
#include "sinks/sink.h"

namespace edgehose {

// Of the Amazon S3 Encryption Client; one of them, or none.
struct S3ecKeys {
  SecretRef rsa_public_key, aes_key;
  bool set() const { return rsa_public_key.set() || aes_key.set(); }
};

struct ObjectConfig {
  std::string prefix;  // with expressions: !{timestamp:yyyy/MM/dd/HH}, !{label:site} ...
  ObjectRendering::Format format = ObjectRendering::Format::kLines;
  ObjectRendering::Compression compression = ObjectRendering::Compression::kZstd;
  int compression_level = 1;
  std::vector<std::string> age_recipients;  // encrypt = { age = ["age1..."] }
  S3ecKeys s3ec;                            // encrypt = { s3ec = { ... } }
  std::optional<std::uint8_t> s3ec_format;  // encrypt = { format = "v3" }: 3, 2

  // Objects are the buffer's frames themselves, but for their encryption.
  bool passes_through() const {
    return format == ObjectRendering::Format::kLines && compression == Compression::kZstd;
  }
  // Reads the RSA key. kInvalid, or what reading it says.
  Result<ObjectRendering> rendering(const std::string& agent) const;
};

// Whether the destination keeps metadata with its objects; some options need it.
enum class KeepsMetadata { kNo, kYes };

config::Fields<ObjectConfig> object_fields(KeepsMetadata keeps);

// What is wrong with the content of a key that can be read; nothing of one that cannot: who loads
// the config tells that. kInvalid, at the key: "rsa_public_key", "aes_key".
struct S3ecKeyError {
  std::string key, message;
};
std::optional<S3ecKeyError> wrong_s3ec_key(const S3ecKeys& keys);

}  // namespace edgehose
