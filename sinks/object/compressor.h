// Compression of objects through one interface; its reverse is agent/base/compression.h. Memory
// does not depend on the amount of data.
//
//   zstd  concatenated frames (RFC 8878), each with a checksum; windows of at most 8 MiB
//   gzip  members (RFC 1952) of at most kGzipMemberBytes raw, one after the other: `gzip -dc` reads
//         them as one, and neither side needs more than one member in memory
//   none  bytes as they are
//
// Threading: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/compression.h"
#include "agent/base/result.h"

namespace edgehose {

constexpr std::size_t kGzipMemberBytes = 256 * 1024;

class Compressor {
 public:
  virtual ~Compressor() = default;
  // Appends to `out` what is ready of the encoded form; the rest stays inside.
  virtual Status write(std::string_view raw, std::string& out) = 0;
  // Ends the frame (or member) if one is begun: what follows in `out` is readable on its own.
  virtual Status end_frame(std::string& out) = 0;
  // An encoding of nothing that a decoder accepts as a whole file.
  virtual Status empty_frame(std::string& out) = 0;
};

// Levels: zstd 1 to 19, gzip 1 to 9; kInvalid names the range.
Status check_level(Compression compression, int level);
Result<std::unique_ptr<Compressor>> make_compressor(Compression compression, int level);

// What these first bytes (4 suffice) begin: zstd, gzip or none of both.
Compression detect_compression(std::string_view first_bytes);

}  // namespace edgehose
