// ObjectRendering: its name's end, its check, its persisted form (object_encoder.h).
#include "agent/base/bytes.h"
#include "sinks/object/compressor.h"
#include "sinks/object/object_encoder.h"
#include "sinks/object/object_encryption.h"

namespace edgehose {
namespace {

// An edgehose that knows no S3ecRendering reads version 1, and refuses 2: it would send plaintext.
constexpr std::uint8_t kVersion = 1, kVersionWithS3ec = 2;

void put_s3ec(std::string& out, const S3ecRendering& s3ec) {
  put_le(out, s3ec.version);
  put_string(out, s3ec.rsa_public_key);
  put_le(out, static_cast<std::uint8_t>(s3ec.aes_key.kind));
  put_string(out, s3ec.aes_key.where);
}

// False: no such kind of place.
bool read_s3ec(ByteReader& in, S3ecRendering& s3ec) {
  s3ec.version = in.le<std::uint8_t>();
  s3ec.rsa_public_key = in.string();
  const auto kind = in.le<std::uint8_t>();
  s3ec.aes_key.where = in.string();
  s3ec.aes_key.kind = static_cast<SecretRef::Kind>(kind);
  return kind < static_cast<std::uint8_t>(SecretRef::Kind::kPlain);
}

}  // namespace

std::string object_extension(const ObjectRendering& rendering) {
  std::string extension = rendering.format == ObjectRendering::Format::kNdjson ? ".ndjson" : ".log";
  if (rendering.compression == Compression::kZstd) extension += ".zst";
  if (rendering.compression == Compression::kGzip) extension += ".gz";
  if (!rendering.age_recipients.empty()) extension += ".age";
  return extension;
}

Status check_rendering(const ObjectRendering& rendering) {
  EH_TRY(check_level(rendering.compression, rendering.level));
  return check_encryption(rendering);
}

std::string serialize_rendering(const ObjectRendering& rendering) {
  std::string out;
  put_le(out, rendering.s3ec ? kVersionWithS3ec : kVersion);
  put_le(out, static_cast<std::uint8_t>(rendering.format));
  put_le(out, static_cast<std::uint8_t>(rendering.compression));
  put_le(out, static_cast<std::uint8_t>(rendering.level));
  put_string(out, rendering.agent);
  put_varint(out, rendering.age_recipients.size());
  for (const std::string& recipient : rendering.age_recipients) put_string(out, recipient);
  if (rendering.s3ec) put_s3ec(out, *rendering.s3ec);
  return out;
}

Result<ObjectRendering> parse_rendering(std::string_view bytes) {
  ByteReader in(bytes);
  const auto version = in.le<std::uint8_t>();
  if (in.ok() && version != kVersion && version != kVersionWithS3ec)
    return fail(
        ErrorCode::kUnsupported,
        "the rendering of a claim has version {}, this edgehose knows {}: it was written by "
        "a newer one",
        version, kVersionWithS3ec);
  ObjectRendering rendering;
  const auto format = in.le<std::uint8_t>();
  const auto compression = in.le<std::uint8_t>();
  rendering.level = in.le<std::uint8_t>();
  rendering.agent = in.string();
  const std::uint64_t recipients = in.varint();
  for (std::uint64_t i = 0; in.ok() && i < recipients && i < kMaxRecipients; ++i)
    rendering.age_recipients.emplace_back(in.string());
  const bool good_key = version != kVersionWithS3ec || read_s3ec(in, rendering.s3ec.emplace());
  const bool known = good_key &&
                     format <= static_cast<std::uint8_t>(ObjectRendering::Format::kNdjson) &&
                     compression <= static_cast<std::uint8_t>(Compression::kGzip);
  if (!in.ok() || !in.at_end() || !known || rendering.age_recipients.size() != recipients)
    return fail(ErrorCode::kCorrupt, "the rendering of a claim is damaged ({} bytes)",
                bytes.size());
  rendering.format = static_cast<ObjectRendering::Format>(format);
  rendering.compression = static_cast<Compression>(compression);
  return rendering;
}

}  // namespace edgehose
