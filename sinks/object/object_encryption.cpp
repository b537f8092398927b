#include "sinks/object/object_encryption.h"

namespace edgehose {
namespace {

Result<std::vector<AgeRecipient>> parse_recipients(const std::vector<std::string>& texts) {
  if (texts.size() > kMaxRecipients)
    return fail(ErrorCode::kInvalid, "{} age recipients are too many: the limit is {}",
                texts.size(), kMaxRecipients);
  std::vector<AgeRecipient> recipients;
  for (const std::string& text : texts) {
    EH_ASSIGN(auto recipient, AgeRecipient::parse(text));
    recipients.push_back(recipient);
  }
  return recipients;
}

// The AES key is where it was when the claim was cut; it is never persisted itself. Whatever keeps
// it from being read needs a person: not a batch whose records are gone (kNotFound).
Result<s3ec::WrappingKey> wrapping_key(const S3ecRendering& rendering) {
  if (!rendering.rsa_public_key.empty()) return s3ec::WrappingKey::rsa(rendering.rsa_public_key);
  auto key = rendering.aes_key.read().and_then(
      [](const Secret& secret) { return s3ec::aes_key(secret.reveal()); });
  if (key) return s3ec::WrappingKey::aes(*key);
  return fail(ErrorCode::kInvalid, "encrypt.s3ec.aes_key {}: {}", rendering.aes_key.text(),
              key.error().message);
}

// What is asked for is one thing, in a format that there is.
Status check_kind(const ObjectRendering& rendering) {
  if (!rendering.s3ec) return {};
  const S3ecRendering& s3ec = *rendering.s3ec;
  const bool known = s3ec.version == 2 || s3ec.version == 3;
  if (known && rendering.age_recipients.empty() &&
      s3ec.rsa_public_key.empty() == s3ec.aes_key.set())
    return {};
  return fail(ErrorCode::kInvalid, "an object is encrypted to one kind of key, in format 2 or 3");
}

}  // namespace

Result<ObjectEncryption> ObjectEncryption::draw(const ObjectRendering& rendering) {
  EH_TRY(check_kind(rendering));
  ObjectEncryption drawn;
  if (!rendering.age_recipients.empty()) {
    EH_ASSIGN(const auto recipients, parse_recipients(rendering.age_recipients));
    EH_ASSIGN(drawn.age_, AgeFile::make(recipients));
  }
  if (rendering.s3ec) {
    EH_ASSIGN(const s3ec::WrappingKey key, wrapping_key(*rendering.s3ec));
    EH_ASSIGN(drawn.s3ec_, S3ecObject::draw(s3ec::Format{rendering.s3ec->version}, key));
  }
  return drawn;
}

Result<std::unique_ptr<ByteStream>> ObjectEncryption::over(
    std::unique_ptr<ByteStream> plain) const {
  if (age_) return AgeEncryptor::of(std::move(plain), age_);
  if (s3ec_) return S3ecEncryptor::of(std::move(plain), s3ec_);
  return plain;
}

Status check_encryption(const ObjectRendering& rendering) {
  EH_TRY(check_kind(rendering));
  EH_TRY(parse_recipients(rendering.age_recipients));
  if (rendering.s3ec && !rendering.s3ec->rsa_public_key.empty())
    EH_TRY(s3ec::WrappingKey::rsa(rendering.s3ec->rsa_public_key));
  return {};
}

}  // namespace edgehose
