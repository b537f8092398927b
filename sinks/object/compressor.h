// Compression of objects through one interface, and its reverse. Memory does not depend on the
// amount of data.
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

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "sinks/sink.h"

namespace edgehose {

using Compression = ObjectRendering::Compression;

constexpr std::size_t kGzipMemberBytes = 256 * 1024;
constexpr int kMaxWindowLog = 23;  // 8 MiB, what every zstd decoder must accept

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

// A stream of the decompressed bytes of `input`: any number of frames or members. kCorrupt for
// damage and for an end inside a frame; the message says which and where (input bytes).
// A zstd frame that asks for a window above 2^max_window_log is refused (kUnsupported).
std::unique_ptr<ByteStream> make_decompressor(Compression compression,
                                              std::unique_ptr<ByteStream> input,
                                              int max_window_log = kMaxWindowLog);

// What these first bytes (4 suffice) begin: zstd, gzip or none of both.
Compression detect_compression(std::string_view first_bytes);

}  // namespace edgehose
