// The envelope of an object of the Amazon S3 Encryption Client: what its user metadata say of how
// it is encrypted. Names here are without "x-amz-meta-".
//
//   v2  x-amz-key-v2 the data key, wrapped; x-amz-iv; x-amz-cek-alg AES/GCM/NoPadding;
//       x-amz-tag-len 128; x-amz-wrap-alg AES/GCM or RSA-OAEP-SHA1; x-amz-matdesc {}
//   v3  x-amz-3 the data key, wrapped; x-amz-i the message's id; x-amz-c 115; x-amz-w 02 (AES/GCM)
//       or 22 (RSA-OAEP-SHA1); x-amz-d the commitment to the key
//
// Binary values are in base64. Source:
// https://docs.aws.amazon.com/amazon-s3-encryption-client/latest/developerguide/ and
// https://github.com/aws/amazon-s3-encryption-client-java (AesKeyring, RsaKeyring,
// ContentMetadataEncodingStrategy)
//
// Threading: pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose::s3ec {

enum class Format : std::uint8_t { kV2 = 2, kV3 = 3 };  // v3 commits to its key
enum class Wrap { kAesGcm, kRsaOaepSha1 };

using Metadata = std::map<std::string, std::string>;

constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kMessageIdBytes = 28;
constexpr std::size_t kCommitmentBytes = 28;

struct Envelope {
  Format format = Format::kV3;
  Wrap wrap = Wrap::kAesGcm;
  std::string wrapped_key;
  std::string nonce;       // v2: the IV; v3: the message's id
  std::string commitment;  // v3
};

// What goes into the wrapping of a data key to say what the key is for.
std::string_view content_algorithm(Format format);

// Of a nonce and a commitment that are of their format's lengths.
Metadata to_metadata(const Envelope& envelope);

// Whether an object with these metadata was encrypted by such a client, of whatever version.
bool is_encrypted(const Metadata& metadata);

// kUnsupported: an older format, another cipher, or a key that KMS has; kCorrupt: what there is
// does not make an envelope.
Result<Envelope> parse_envelope(const Metadata& metadata);

}  // namespace edgehose::s3ec
