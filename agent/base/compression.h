// Which compressions there are, and reading them. Writing them is a sink's matter:
// sinks/object/compressor.h.
//
//   zstd  any number of frames (RFC 8878)
//   gzip  any number of members (RFC 1952), and zeros behind the last one, as on a tape
//   none  bytes as they are
//
// Threading: one thread at a time. Memory: 64 KiB of input beside the decoder's window: 32 KiB of
// gzip, at most 2^max_window_log of zstd.
#pragma once

#include <cstdint>
#include <memory>

#include "agent/base/stream.h"

namespace edgehose {

enum class Compression : std::uint8_t { kNone, kZstd, kGzip };

constexpr int kMaxWindowLog = 23;  // 8 MiB, what every zstd decoder must accept

// A stream of the decompressed bytes of `input`. kCorrupt for damage and for an end inside a frame;
// the message says which and where (input bytes). A zstd frame that asks for a window above
// 2^max_window_log, which may be 128 MiB, is refused (kUnsupported). Errors of `input` pass
// through.
std::unique_ptr<ByteStream> make_decompressor(Compression compression,
                                              std::unique_ptr<ByteStream> input,
                                              int max_window_log = kMaxWindowLog);

}  // namespace edgehose
