// ObjectEncryption: who can open an object, from its rendering: nobody but age recipients, the
// holder of an S3 Encryption Client's key, or everybody. Keys and nonces are drawn once for an
// object, so that all of its streams have the same bytes.
//
// Threading: one thread at a time.
#pragma once

#include <memory>

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "sinks/object/age/encryptor.h"
#include "sinks/object/s3ec/encryptor.h"
#include "sinks/sink.h"

namespace edgehose {

constexpr std::size_t kMaxRecipients = 1024;  // of age

class ObjectEncryption {
 public:
  // kInvalid: a recipient or a key is none, or the secret that holds it cannot be read.
  static Result<ObjectEncryption> draw(const ObjectRendering& rendering);

  // Plaintext in, what is stored out.
  Result<std::unique_ptr<ByteStream>> over(std::unique_ptr<ByteStream> plain) const;
  // What has to be kept beside the object for it to be opened; names without "x-amz-meta-".
  s3ec::Metadata metadata() const { return s3ec_ ? s3ec_->metadata() : s3ec::Metadata(); }

 private:
  // Both null: not encrypted.
  std::shared_ptr<AgeFile> age_;
  std::shared_ptr<S3ecObject> s3ec_;
};

// Whether draw() would take what the rendering itself holds; secrets are not read. kInvalid.
Status check_encryption(const ObjectRendering& rendering);

}  // namespace edgehose
