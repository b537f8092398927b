// UploadMeter: reads a body once before it is sent, in slices: how long it is, and what S3 checks
// it against. What is small stays in memory and is sent from there; what is not is made again while
// it is sent (ByteSource), so that memory does not depend on its size.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "sinks/http_message.h"
#include "sinks/s3/checksum.h"

namespace edgehose {

struct UploadFacts {
  std::uint64_t size = 0;
  std::string checksum;      // the header's value; empty: none
  std::string payload_hash;  // SHA-256 in hexadecimal; empty: not asked for
};

class UploadMeter {
 public:
  static constexpr std::size_t kKeptBytes = 1 << 20;   // in memory, at most
  static constexpr std::size_t kSliceBytes = 1 << 20;  // read in a step, at most

  // `hashed`: with the payload's SHA-256, for who signs it.
  UploadMeter(std::shared_ptr<ByteSource> source, S3Checksum checksum, bool hashed);
  ~UploadMeter();

  // One slice, through `buffer`. True: it is at its end.
  Result<bool> step(std::span<char> buffer);
  // After the end, once each.
  UploadFacts facts();
  std::shared_ptr<RequestBody> body();

 private:
  void add(std::string_view bytes);

  const std::shared_ptr<ByteSource> source_;
  std::unique_ptr<ByteStream> stream_;
  ChecksumBuilder checksum_;
  std::optional<ChecksumBuilder> hash_;
  std::uint64_t size_ = 0;
  std::optional<std::string> kept_;  // none: it is larger than that
};

}  // namespace edgehose
