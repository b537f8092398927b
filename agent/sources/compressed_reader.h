// CompressedReader: the content of a .gz (zlib, all members) or .zst (all frames) file, from its
// start on, with bounded memory: 64 KiB of input beside the decoder's own window.
//
// A zstd frame may ask for a window of up to 128 MiB: more than 8 MiB is refused.
#pragma once

#include <memory>
#include <string>

#include "agent/base/file.h"
#include "agent/base/stream.h"
#include "agent/sources/identity.h"

namespace edgehose {

class CompressedReader : public ByteStream {
 public:
  // kUnsupported for a format that cannot be read. Owns the descriptor.
  static Result<std::unique_ptr<CompressedReader>> open(FileDescriptor file, Format format);

  // True after read() gave 0: the file ends where its format says it may; false: it is cut off.
  virtual bool complete() const = 0;
};

// CRC-32C of the first `length` bytes; none where there are fewer or the rest cannot be read.
std::optional<std::uint32_t> crc_of_content(ByteStream& content, std::uint64_t length);

}  // namespace edgehose
