// A stream of bytes that is pulled: what objects and request bodies are made of, so that memory
// does not depend on their size. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/result.h"

namespace edgehose {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Up to `size` bytes into `out`; 0 at the end, and from then on. After an error it stays failed.
  virtual Result<std::size_t> read(char* out, std::size_t size) = 0;
};

// A stream whose bytes are made a piece at a time.
class PieceStream : public ByteStream {
 public:
  Result<std::size_t> read(char* out, std::size_t size) final;

 protected:
  // Replaces ready_, all of which was handed out, by the next bytes, maybe none; sets ended_ with
  // the last of them.
  virtual Status refill() = 0;

  std::string ready_;
  bool ended_ = false;

 private:
  std::size_t used_ = 0;  // of ready_
  std::optional<Error> failed_;
};

// Bytes that can be streamed more than once: each stream gives the same ones, from the first on.
// One stream at a time: opening another ends the use of those before.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<std::unique_ptr<ByteStream>> open() = 0;
};

}  // namespace edgehose
