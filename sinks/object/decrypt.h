// Opening an object again: whatever its layers are, age (binary or armored), zstd, gzip, found by
// their first bytes. The core of `edgehose decrypt`. What was encrypted for the S3 Encryption
// Client shows in its metadata alone: s3ec/decryptor.h opens that layer.
//
// Threading: one thread at a time. Memory is bounded, whatever the input.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/base/stream.h"
#include "sinks/object/age/keys.h"

namespace edgehose {

struct OpenOptions {
  std::vector<AgeIdentity> identities;  // may be empty for an object that is not encrypted
  bool decompress = true;               // else stop below the encryption
};

struct OpenedObject {
  std::unique_ptr<ByteStream> plain;
  bool encrypted = false;
  bool compressed = false;
};

// Reads the beginning. kAuth: it is encrypted and no identity fits (or none is given); kCorrupt,
// kUnsupported: as AgeDecryptor and make_decompressor say. Damage further in shows while `plain` is
// read: what was handed out until then is authentic.
Result<OpenedObject> open_object(std::unique_ptr<ByteStream> input, OpenOptions options);

// Bytes of an open descriptor, which stays the caller's; `name` is for messages.
std::unique_ptr<ByteStream> read_descriptor(int fd, std::string_view name);
// The same from its beginning on, as often as it is opened: kInvalid, where it is a pipe.
std::unique_ptr<ByteSource> reread_descriptor(int fd, std::string_view name);

// Pulls all of it through `write`; the bytes that went through.
Result<std::uint64_t> copy_stream(ByteStream& from,
                                  const std::function<Status(std::string_view)>& write);

}  // namespace edgehose
