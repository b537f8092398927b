// UploadMeter: reads a body once before it is sent, in slices: how long it is, and what S3 checks
// it against, as a whole and in parts. What is small stays in memory and is sent from there; what
// is not is made again while it is sent (ByteSource), so that memory does not depend on its size.
//
// PartReader: the parts of a body, each as a request's, from one stream as long as they come in
// their order.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "buffer/state.h"
#include "sinks/http_message.h"
#include "sinks/s3/checksum.h"

namespace edgehose {

struct PartFacts {
  std::uint64_t size = 0;
  std::string checksum;      // the header's value; empty: none
  std::string payload_hash;  // SHA-256 in hexadecimal; empty: not asked for
  std::uint64_t check = 0;   // UploadPart::check
};

struct UploadFacts {
  std::uint64_t size = 0;
  // As S3 says it of the object: of several parts a CRC-64/NVME of all bytes, else a checksum of
  // the parts' checksums with their number. Empty: none.
  std::string checksum;
  std::string payload_hash;      // of one part
  std::uint64_t part_size = 0;   // bytes of each part but the last
  std::vector<PartFacts> parts;  // at least one, at most kMaxUploadParts
};

class UploadMeter {
 public:
  static constexpr std::size_t kKeptBytes = 1 << 20;   // in memory, at most
  static constexpr std::size_t kSliceBytes = 1 << 20;  // read in a step, at most

  // `part_size`: larger where the body has more than kMaxUploadParts of it; such a one is read
  // twice. `hashed`: with the payload's SHA-256, for who signs it.
  UploadMeter(std::shared_ptr<ByteSource> source, std::uint64_t part_size, S3Checksum checksum,
              bool hashed);
  ~UploadMeter();

  // One slice, through `buffer`. True: it is at its end.
  Result<bool> step(std::span<char> buffer);
  // After the end, once each.
  UploadFacts facts();
  std::shared_ptr<RequestBody> body();

 private:
  void add(std::string_view bytes);
  void begin_part();
  void add_to_part(std::string_view bytes);
  void end_part();
  bool too_many() const { return parts_.size() > kMaxUploadParts; }

  const std::shared_ptr<ByteSource> source_;
  const S3Checksum kind_;
  const bool hashed_;
  std::uint64_t part_size_;
  std::unique_ptr<ByteStream> stream_;
  std::uint64_t size_ = 0;
  std::optional<std::string> kept_;                 // none: it is larger than that
  std::vector<PartFacts> parts_;                    // the last one is open until the end
  std::optional<ChecksumBuilder> checksum_, hash_;  // of the open part
  std::uint64_t whole_check_ = 0;                   // CRC-64/NVME of all, from the second part on
};

class PartReader {
 public:
  explicit PartReader(std::shared_ptr<ByteSource> source) : source_(std::move(source)) {}

  // One slice of the way to `offset`, through `buffer`. True: it is there.
  Result<bool> seek(std::uint64_t offset, std::span<char> buffer);
  // Bytes [offset, offset + size), which begin where seek() or the part before has led. One part at
  // a time; `reader` outlives none of them.
  static std::shared_ptr<RequestBody> part(std::shared_ptr<PartReader> reader, std::uint64_t offset,
                                           std::uint64_t size);

 private:
  class Part;
  Status open();

  const std::shared_ptr<ByteSource> source_;
  std::unique_ptr<ByteStream> stream_;  // null: none is open
  std::uint64_t at_ = 0;                // bytes read of it
};

}  // namespace edgehose
