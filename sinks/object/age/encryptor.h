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
#include "sinks/object/crypto/one_plaintext.h"

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
  age::Secret<16> nonce_;
  std::string head_;  // the header, and the payload's nonce
  OnePlaintext plaintext_;
};

class AgeEncryptor final : public ByteStream {
 public:
  static Result<std::unique_ptr<AgeEncryptor>> of(std::unique_ptr<ByteStream> input,
                                                  std::shared_ptr<AgeFile> file);
  // Of a file that is streamed once.
  static Result<std::unique_ptr<AgeEncryptor>> make(std::unique_ptr<ByteStream> input,
                                                    const std::vector<AgeRecipient>& recipients);
  ~AgeEncryptor() override;
  Result<std::size_t> read(char* out, std::size_t size) override;

 private:
  AgeEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<AgeFile> file, age::Aead aead);
  Status next_chunk();

  std::unique_ptr<ByteStream> input_;
  std::shared_ptr<AgeFile> file_;
  age::Aead aead_;
  std::string plain_;   // at most a chunk and the byte that tells whether another follows
  std::string sealed_;  // not yet handed out: from used_ on
  std::size_t used_ = 0;
  std::uint64_t chunk_ = 0;
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace edgehose
