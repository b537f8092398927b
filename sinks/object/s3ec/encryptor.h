// S3ecEncryptor: an object of the Amazon S3 Encryption Client, as a stream: the ciphertext, and 16
// bytes of tag at its end. Memory: two chunks of 64 KiB.
// S3ecObject: what of such an object is drawn by chance, so that the same one can be streamed
// again, and its metadata, which whoever opens it needs.
//
// Threading: one thread at a time. The data key is drawn per object and wiped with it.
#pragma once

#include <memory>
#include <string>

#include "sinks/object/crypto/sealing_stream.h"
#include "sinks/object/s3ec/content_key.h"
#include "sinks/object/s3ec/envelope.h"
#include "sinks/object/s3ec/keys.h"

namespace edgehose {

// Invariant: a key and an IV seal one plaintext only (one_plaintext.h).
class S3ecObject {
 public:
  static Result<std::shared_ptr<S3ecObject>> draw(s3ec::Format format,
                                                  const s3ec::WrappingKey& key);
  // To be kept with the object, under "x-amz-meta-" and their names.
  const s3ec::Metadata& metadata() const { return metadata_; }

 private:
  friend class S3ecEncryptor;
  S3ecObject() = default;

  s3ec::ContentKey content_;
  s3ec::Metadata metadata_;
  OnePlaintext plaintext_;
};

// kUnsupported: more than the format takes, kMaxGcmBytes.
class S3ecEncryptor final : public SealingStream {
 public:
  static Result<std::unique_ptr<S3ecEncryptor>> of(std::unique_ptr<ByteStream> input,
                                                   std::shared_ptr<S3ecObject> object);

 private:
  S3ecEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<S3ecObject> object,
                s3ec::Gcm gcm);
  Status seal(std::uint64_t number, bool last, std::string_view plain) override;

  std::shared_ptr<S3ecObject> object_;
  s3ec::Gcm gcm_;
};

}  // namespace edgehose
