// The content of a file, from its start on: its bytes or, of a .gz or .zst file, those inside.
//
// Threading: one thread at a time. Memory: agent/base/compression.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/file.h"
#include "agent/base/stream.h"
#include "agent/sources/identity.h"

namespace edgehose {

// Owns the descriptor, and leaves its offset alone. Reading fails as make_decompressor says;
// kUnsupported: a format that cannot be read.
Result<std::unique_ptr<ByteStream>> open_content(FileDescriptor file, Format format);

// The CRC-32C of the first `length` bytes of a content, which may be gigabytes: in steps.
class ContentHasher {
 public:
  ContentHasher(std::unique_ptr<ByteStream> content, std::uint64_t length)
      : content_(std::move(content)), length_(length) {}

  // Reads at most `share` bytes of the content and takes them off it. After an error it is of no
  // use any more.
  Status step(std::uint64_t& share);
  void extend(std::uint64_t length) { length_ = length; }  // not below hashed()
  std::uint64_t length() const { return length_; }
  std::uint64_t hashed() const { return hashed_; }
  bool ended() const { return ended_; }  // the content, before its length
  bool done() const { return ended_ || hashed_ == length_; }
  // None where the content ends before.
  std::optional<std::uint32_t> crc() const;
  const std::string& tail() const { return tail_; }  // at most kTailBytes before hashed()

 private:
  std::unique_ptr<ByteStream> content_;
  std::uint64_t length_, hashed_ = 0;
  std::uint32_t crc_ = 0;
  bool ended_ = false;
  std::string tail_;
};

}  // namespace edgehose
