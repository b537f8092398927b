#include "sinks/object/s3ec/encryptor.h"

namespace edgehose {
namespace {

std::size_t nonce_bytes(s3ec::Format format) {
  return format == s3ec::Format::kV2 ? s3ec::kIvBytes : s3ec::kMessageIdBytes;
}

}  // namespace

Result<std::shared_ptr<S3ecObject>> S3ecObject::draw(s3ec::Format format,
                                                     const s3ec::WrappingKey& key) {
  std::shared_ptr<S3ecObject> object(new S3ecObject);
  s3ec::DataKey data_key;
  EH_TRY(random_bytes(data_key.bytes.data(), data_key.bytes.size()));
  s3ec::Envelope envelope{format, key.kind(), {}, std::string(nonce_bytes(format), '\0'), {}};
  EH_TRY(
      random_bytes(reinterpret_cast<std::uint8_t*>(envelope.nonce.data()), envelope.nonce.size()));
  EH_ASSIGN(envelope.wrapped_key, key.wrap(format, data_key));
  EH_ASSIGN(object->content_, s3ec::derive_content_key(format, data_key, envelope.nonce));
  envelope.commitment = object->content_.commitment;
  object->metadata_ = s3ec::to_metadata(envelope);
  return object;
}

Result<std::unique_ptr<S3ecEncryptor>> S3ecEncryptor::of(std::unique_ptr<ByteStream> input,
                                                         std::shared_ptr<S3ecObject> object) {
  EH_ASSIGN(s3ec::Gcm gcm, object->content_.begin(s3ec::Gcm::Mode::kSeal));
  return std::unique_ptr<S3ecEncryptor>(
      new S3ecEncryptor(std::move(input), std::move(object), std::move(gcm)));
}

S3ecEncryptor::S3ecEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<S3ecObject> object,
                             s3ec::Gcm gcm)
    : SealingStream(std::move(input), object->plaintext_),
      object_(std::move(object)),
      gcm_(std::move(gcm)) {}

// One message for GCM, whatever the chunks; its tag follows the last one.
Status S3ecEncryptor::seal(std::uint64_t number, bool last, std::string_view plain) {
  if (number * kChunkBytes + plain.size() > s3ec::kMaxGcmBytes)
    return fail(ErrorCode::kUnsupported,
                "the object is larger than AES-GCM encrypts under one key, 64 GiB: lower the "
                "sink's batch.max_size");
  ready_.resize(plain.size());
  EH_TRY(gcm_.update(plain, ready_.data()));
  if (!last) return {};
  EH_ASSIGN(const std::string tag, gcm_.tag());
  ready_.append(tag);
  return {};
}

}  // namespace edgehose
