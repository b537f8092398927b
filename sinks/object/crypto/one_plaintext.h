// OnePlaintext: an object that is streamed again under its key has to be the same, for a key and a
// nonce that seal two plaintexts give both away. Every chunk's checksum is kept (4 bytes each), and
// one that differs is an error in place of a second ciphertext.
//
// Threading: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

class OnePlaintext {
 public:
  // Before chunk number `chunk` (from 0, none left out) is encrypted. kCorrupt: another plaintext
  // had its place before.
  Status admit(std::uint64_t chunk, bool last, std::string_view plain);

 private:
  std::vector<std::uint32_t> chunks_;
};

}  // namespace edgehose
