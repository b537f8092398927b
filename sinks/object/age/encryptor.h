// AgeEncryptor: the age file of what a stream gives, as a stream. Memory: two chunks of 64 KiB.
// AgeFile: what of such a file is drawn by chance, so that the same file can be streamed again.
//
// Threading: one thread at a time. The file key is drawn per object and wiped with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/stream.h"
#include "sinks/object/age/keys.h"
#include "sinks/object/age/primitives.h"
#include "sinks/object/crypto/sealing_stream.h"

namespace edgehose {

// Invariant: a key and a nonce seal one plaintext only (one_plaintext.h).
class AgeFile {
 public:
  // kInvalid: no recipient, or one that is not a usable key.
  static Result<std::shared_ptr<AgeFile>> make(const std::vector<AgeRecipient>& recipients);

 private:
  friend class AgeEncryptor;
  AgeFile() = default;

  age::FileKey key_;
  SecretBytes<16> nonce_;
  std::string head_;  // the header, and the payload's nonce
  OnePlaintext plaintext_;
};

class AgeEncryptor final : public SealingStream {
 public:
  static Result<std::unique_ptr<AgeEncryptor>> of(std::unique_ptr<ByteStream> input,
                                                  std::shared_ptr<AgeFile> file);

 private:
  AgeEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<AgeFile> file, age::Aead aead);
  Status seal(std::uint64_t number, bool last, std::string_view plain) override;

  std::shared_ptr<AgeFile> file_;
  age::Aead aead_;
};

}  // namespace edgehose
