#include "sinks/object/s3ec/encryptor.h"

#include <algorithm>
#include <cstring>

namespace edgehose {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

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
    : input_(std::move(input)), object_(std::move(object)), gcm_(std::move(gcm)) {}

S3ecEncryptor::~S3ecEncryptor() {
  plain_.resize(plain_.capacity());
  wipe(plain_);
}

Result<std::size_t> S3ecEncryptor::read(char* out, std::size_t size) {
  if (failed_) return tl::unexpected<Error>(*failed_);
  if (size == 0) return std::size_t{0};
  if (used_ == sealed_.size() && !ended_) {
    if (auto status = next_chunk(); !status) {
      failed_ = status.error();
      return tl::unexpected<Error>(*failed_);
    }
  }
  const std::size_t n = std::min(size, sealed_.size() - used_);
  std::memcpy(out, sealed_.data() + used_, n);
  used_ += n;
  return n;
}

// A chunk that is not full is the last one, and the tag follows it.
Status S3ecEncryptor::next_chunk() {
  std::size_t have = 0;
  plain_.resize(kChunkBytes);
  while (have < kChunkBytes) {
    EH_ASSIGN(const std::size_t n, input_->read(plain_.data() + have, kChunkBytes - have));
    if (n == 0) break;
    have += n;
  }
  ended_ = have < kChunkBytes;
  const auto chunk = std::string_view(plain_).substr(0, have);
  if (chunk_ * kChunkBytes + have > s3ec::kMaxGcmBytes)
    return fail(ErrorCode::kUnsupported,
                "the object is larger than AES-GCM encrypts under one key, 64 GiB: lower the "
                "sink's batch.max_size");
  EH_TRY(object_->plaintext_.admit(chunk_++, ended_, chunk));
  sealed_.resize(have);
  used_ = 0;
  EH_TRY(gcm_.update(chunk, sealed_.data()));
  if (ended_) {
    EH_ASSIGN(const std::string tag, gcm_.tag());
    sealed_.append(tag);
  }
  return {};
}

}  // namespace edgehose
