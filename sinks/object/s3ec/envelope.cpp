#include "sinks/object/s3ec/envelope.h"

#include "agent/base/base64.h"

namespace edgehose::s3ec {
namespace {

constexpr const char* kV1Key = "x-amz-key";
constexpr const char* kV2Key = "x-amz-key-v2";
constexpr const char* kV2Iv = "x-amz-iv";
constexpr const char* kV2Cipher = "x-amz-cek-alg";
constexpr const char* kV2TagBits = "x-amz-tag-len";
constexpr const char* kV2Wrap = "x-amz-wrap-alg";
constexpr const char* kV2Description = "x-amz-matdesc";
constexpr const char* kV3Key = "x-amz-3";
constexpr const char* kV3MessageId = "x-amz-i";
constexpr const char* kV3Suite = "x-amz-c";
constexpr const char* kV3Wrap = "x-amz-w";
constexpr const char* kV3Commitment = "x-amz-d";

constexpr const char* kTagBits = "128";

// Both spellings of a way to wrap.
struct WrapName {
  Wrap wrap;
  const char *v2, *v3;
};
constexpr WrapName kWraps[] = {
    {Wrap::kAesGcm, "AES/GCM", "02"},
    {Wrap::kRsaOaepSha1, "RSA-OAEP-SHA1", "22"},
};

const WrapName& name_of(Wrap wrap) { return wrap == Wrap::kAesGcm ? kWraps[0] : kWraps[1]; }

std::string base64(std::string_view bytes) { return encode_base64(bytes, true); }

// One value after the other; the first trouble is what is told.
class Values {
 public:
  explicit Values(const Metadata& metadata) : metadata_(metadata) {}

  Result<std::string> text(const std::string& name) const {
    const auto found = metadata_.find(name);
    if (found != metadata_.end()) return found->second;
    return fail(ErrorCode::kCorrupt, "the metadata lack {}", name);
  }
  // `size` 0: any but none.
  Result<std::string> bytes(const std::string& name, std::size_t size) const {
    EH_ASSIGN(const std::string encoded, text(name));
    const auto decoded = decode_base64(encoded, true);
    if (decoded && !decoded->empty() && (size == 0 || decoded->size() == size)) return *decoded;
    return fail(ErrorCode::kCorrupt, "the metadata's {} is not what it should be: {}", name,
                size == 0 ? "base64" : fmt::format("{} bytes in base64", size));
  }
  Status expect(const std::string& name, const std::string& value) const {
    EH_ASSIGN(const std::string found, text(name));
    if (found == value) return {};
    return fail(ErrorCode::kUnsupported, "{} is \"{}\": only {} is known here", name, found, value);
  }

 private:
  const Metadata& metadata_;
};

Result<Wrap> parse_wrap(Format format, const std::string& text) {
  for (const WrapName& name : kWraps)
    if (text == (format == Format::kV2 ? name.v2 : name.v3)) return name.wrap;
  if (text.starts_with("kms") || text == "12")
    return fail(ErrorCode::kUnsupported,
                "its key is wrapped by KMS: AWS's own clients open it, with leave to use that key");
  return fail(ErrorCode::kUnsupported,
              "its key is wrapped by \"{}\": only AES/GCM and RSA-OAEP-SHA1 are known here", text);
}

Result<Envelope> parse_v2(const Values& values) {
  Envelope envelope{Format::kV2, {}, {}, {}, {}};
  EH_TRY(values.expect(kV2Cipher, std::string(content_algorithm(Format::kV2))));
  EH_TRY(values.expect(kV2TagBits, kTagBits));
  EH_ASSIGN(const std::string wrap, values.text(kV2Wrap));
  EH_ASSIGN(envelope.wrap, parse_wrap(Format::kV2, wrap));
  EH_ASSIGN(envelope.wrapped_key, values.bytes(kV2Key, 0));
  EH_ASSIGN(envelope.nonce, values.bytes(kV2Iv, kIvBytes));
  return envelope;
}

Result<Envelope> parse_v3(const Values& values) {
  Envelope envelope{Format::kV3, {}, {}, {}, {}};
  EH_TRY(values.expect(kV3Suite, std::string(content_algorithm(Format::kV3))));
  EH_ASSIGN(const std::string wrap, values.text(kV3Wrap));
  EH_ASSIGN(envelope.wrap, parse_wrap(Format::kV3, wrap));
  EH_ASSIGN(envelope.wrapped_key, values.bytes(kV3Key, 0));
  EH_ASSIGN(envelope.nonce, values.bytes(kV3MessageId, kMessageIdBytes));
  EH_ASSIGN(envelope.commitment, values.bytes(kV3Commitment, kCommitmentBytes));
  return envelope;
}

}  // namespace

std::string_view content_algorithm(Format format) {
  return format == Format::kV2 ? "AES/GCM/NoPadding" : "115";
}

Metadata to_metadata(const Envelope& envelope) {
  const std::string cipher(content_algorithm(envelope.format));
  const WrapName& wrap = name_of(envelope.wrap);
  if (envelope.format == Format::kV2)
    return {{kV2Key, base64(envelope.wrapped_key)},
            {kV2Iv, base64(envelope.nonce)},
            {kV2Cipher, cipher},
            {kV2TagBits, kTagBits},
            {kV2Wrap, wrap.v2},
            {kV2Description, "{}"}};
  return {{kV3Key, base64(envelope.wrapped_key)},
          {kV3MessageId, base64(envelope.nonce)},
          {kV3Suite, cipher},
          {kV3Wrap, wrap.v3},
          {kV3Commitment, base64(envelope.commitment)}};
}

bool is_encrypted(const Metadata& metadata) {
  return metadata.contains(kV3Key) || metadata.contains(kV3Suite) || metadata.contains(kV2Key) ||
         metadata.contains(kV1Key);
}

Result<Envelope> parse_envelope(const Metadata& metadata) {
  const Values values(metadata);
  const bool v3 = metadata.contains(kV3Key) || metadata.contains(kV3Suite);
  // One that claims two formats leaves open which key is meant.
  if (v3 && metadata.contains(kV2Key))
    return fail(ErrorCode::kCorrupt, "the metadata hold keys of two formats");
  if (v3) return parse_v3(values);
  if (metadata.contains(kV2Key)) return parse_v2(values);
  if (metadata.contains(kV1Key))
    return fail(ErrorCode::kUnsupported,
                "it has format v1 of the S3 Encryption Client: v2 and v3 are known here");
  return fail(ErrorCode::kCorrupt, "the metadata are not of the S3 Encryption Client");
}

}  // namespace edgehose::s3ec
