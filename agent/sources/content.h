// The content of a file, from its start on: its bytes or, of a .gz or .zst file, those inside.
//
// Threading: one thread at a time. Memory: agent/base/compression.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/base/file.h"
#include "agent/base/stream.h"
#include "agent/sources/identity.h"

namespace edgehose {

// Owns the descriptor, and leaves its offset alone. Reading fails as make_decompressor says;
// kUnsupported: a format that cannot be read.
Result<std::unique_ptr<ByteStream>> open_content(FileDescriptor file, Format format);

// CRC-32C of the first `length` bytes; none where the content ends before.
Result<std::optional<std::uint32_t>> crc_of_content(ByteStream& content, std::uint64_t length);

}  // namespace edgehose
