// SealingStream: plaintext in, ciphertext out, 64 KiB at a time. One byte is read ahead, so that
// the last chunk is known when it is sealed; only of no plaintext at all it is empty.
//
// Threading: one thread at a time. Memory: two chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/stream.h"
#include "sinks/object/crypto/one_plaintext.h"

namespace edgehose {

class SealingStream : public PieceStream {
 public:
  static constexpr std::size_t kChunkBytes = 64 * 1024;
  ~SealingStream() override;

 protected:
  // `plaintext`: of all streams under these keys; outlives this one's reads.
  SealingStream(std::unique_ptr<ByteStream> input, OnePlaintext& plaintext)
      : input_(std::move(input)), plaintext_(plaintext) {}
  // Appends to ready_, which is empty, chunk `number`, from 0 on.
  virtual Status seal(std::uint64_t number, bool last, std::string_view plain) = 0;

 private:
  Status refill() final;

  const std::unique_ptr<ByteStream> input_;
  OnePlaintext& plaintext_;
  std::string plain_;  // at most a chunk and the byte behind it
  std::uint64_t chunk_ = 0;
};

}  // namespace edgehose
