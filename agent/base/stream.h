// A stream of bytes that is pulled: what objects and request bodies are made of, so that memory
// does not depend on their size. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>

#include "agent/base/result.h"

namespace edgehose {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Up to `size` bytes into `out`; 0 at the end, and from then on. After an error it stays failed.
  virtual Result<std::size_t> read(char* out, std::size_t size) = 0;
};

// Bytes that can be streamed more than once: each stream gives the same ones, from the first on.
// One stream at a time: opening another ends the use of those before.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<std::unique_ptr<ByteStream>> open() = 0;
};

}  // namespace edgehose
