// AgeEncryptor: the age file of what a stream gives, as a stream. Memory: two chunks of 64 KiB.
//
// Threading: one thread at a time. The file key is drawn per object and wiped after its header.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/stream.h"
#include "sinks/object/age/keys.h"
#include "sinks/object/age/primitives.h"

namespace edgehose {

class AgeEncryptor final : public ByteStream {
 public:
  // kInvalid: no recipient, or one that is not a usable key.
  static Result<std::unique_ptr<AgeEncryptor>> make(std::unique_ptr<ByteStream> input,
                                                    const std::vector<AgeRecipient>& recipients);
  ~AgeEncryptor() override;
  Result<std::size_t> read(char* out, std::size_t size) override;

 private:
  AgeEncryptor(std::unique_ptr<ByteStream> input, age::Aead aead, std::string head);
  Status next_chunk();

  std::unique_ptr<ByteStream> input_;
  age::Aead aead_;
  std::string plain_;   // at most a chunk and the byte that tells whether another follows
  std::string sealed_;  // not yet handed out: from used_ on
  std::size_t used_ = 0;
  std::uint64_t chunk_ = 0;
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace edgehose
