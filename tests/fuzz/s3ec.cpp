// The envelope of the Amazon S3 Encryption Client: metadata, a name and a value a line.
#include "agent/base/text.h"
#include "sinks/object/s3ec/envelope.h"
#include "sinks/object/s3ec/keys.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

s3ec::Metadata metadata_of(std::string_view text) {
  s3ec::Metadata metadata;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    metadata[std::string(line.substr(0, colon))] = line.substr(colon + 2);
  }
  return metadata;
}

std::string text_of(const s3ec::Metadata& metadata) {
  std::string text;
  for (const auto& [name, value] : metadata) text += fmt::format("{}: {}\n", name, value);
  return text;
}

}  // namespace

void one(std::string_view bytes) {
  const s3ec::Metadata metadata = metadata_of(bytes);
  const auto envelope = s3ec::parse_envelope(metadata);
  if (!envelope) return;
  require(s3ec::is_encrypted(metadata), "an envelope of what is not encrypted");
  require(
      envelope->nonce.size() == s3ec::kIvBytes || envelope->nonce.size() == s3ec::kMessageIdBytes,
      "a nonce of {} bytes", envelope->nonce.size());
  static const auto key = s3ec::UnwrappingKey::parse(std::string(32, 'a')).value();
  require(!key.unwrap(*envelope), "a key opens what it has not wrapped");
}

std::vector<std::string> seeds() {
  s3ec::Envelope v3;
  v3.wrapped_key.assign(60, 'k');
  v3.nonce.assign(s3ec::kMessageIdBytes, 'n');
  v3.commitment.assign(s3ec::kCommitmentBytes, 'c');
  s3ec::Envelope v2 = v3;
  v2.format = s3ec::Format::kV2;
  v2.wrap = s3ec::Wrap::kRsaOaepSha1;
  v2.nonce.assign(s3ec::kIvBytes, 'n');
  v2.commitment.clear();
  return {text_of(s3ec::to_metadata(v3)), text_of(s3ec::to_metadata(v2))};
}

}  // namespace edgehose::fuzz
