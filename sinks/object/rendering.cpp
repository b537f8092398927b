// ObjectRendering: its name's end, its check, its persisted form (object_encoder.h).
#include "agent/base/bytes.h"
#include "sinks/object/age/keys.h"
#include "sinks/object/compressor.h"
#include "sinks/object/object_encoder.h"

namespace edgehose {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kMaxRecipients = 1024;

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
  if (rendering.age_recipients.size() > kMaxRecipients)
    return fail(ErrorCode::kInvalid, "{} age recipients are too many: the limit is {}",
                rendering.age_recipients.size(), kMaxRecipients);
  for (const std::string& recipient : rendering.age_recipients)
    EH_TRY(AgeRecipient::parse(recipient));
  return {};
}

std::string serialize_rendering(const ObjectRendering& rendering) {
  std::string out;
  put_le(out, kVersion);
  put_le(out, static_cast<std::uint8_t>(rendering.format));
  put_le(out, static_cast<std::uint8_t>(rendering.compression));
  put_le(out, static_cast<std::uint8_t>(rendering.level));
  put_string(out, rendering.agent);
  put_varint(out, rendering.age_recipients.size());
  for (const std::string& recipient : rendering.age_recipients) put_string(out, recipient);
  return out;
}

Result<ObjectRendering> parse_rendering(std::string_view bytes) {
  ByteReader in(bytes);
  const auto version = in.le<std::uint8_t>();
  if (in.ok() && version != kVersion)
    return fail(
        ErrorCode::kUnsupported,
        "the rendering of a claim has version {}, this edgehose knows {}: it was written by "
        "a newer one",
        version, kVersion);
  ObjectRendering rendering;
  const auto format = in.le<std::uint8_t>();
  const auto compression = in.le<std::uint8_t>();
  rendering.level = in.le<std::uint8_t>();
  rendering.agent = in.string();
  const std::uint64_t recipients = in.varint();
  for (std::uint64_t i = 0; in.ok() && i < recipients && i < kMaxRecipients; ++i)
    rendering.age_recipients.emplace_back(in.string());
  const bool known = format <= static_cast<std::uint8_t>(ObjectRendering::Format::kNdjson) &&
                     compression <= static_cast<std::uint8_t>(Compression::kGzip);
  if (!in.ok() || !in.at_end() || !known || rendering.age_recipients.size() != recipients)
    return fail(ErrorCode::kCorrupt, "the rendering of a claim is damaged ({} bytes)",
                bytes.size());
  rendering.format = static_cast<ObjectRendering::Format>(format);
  rendering.compression = static_cast<Compression>(compression);
  return rendering;
}

}  // namespace edgehose
