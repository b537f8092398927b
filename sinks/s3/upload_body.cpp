#include "sinks/s3/upload_body.h"

#include <algorithm>

#include "agent/base/base64.h"
#include "agent/base/check.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

tl::unexpected<Error> another_length() {
  return fail(ErrorCode::kCorrupt,
              "the object has another length than when it was measured; it is made anew");
}

// As S3 says it of an object in parts: of their checksums, one after the other.
std::string composite(S3Checksum kind, const std::vector<PartFacts>& parts) {
  ChecksumBuilder all(kind);
  for (const PartFacts& part : parts) all.add(decode_base64(part.checksum, true).value_or(""));
  return all.value() + "-" + std::to_string(parts.size());
}

// A source whose length is known by now. One that has another length when it is streamed again
// would leave the server waiting, or be cut: it is an error.
class Measured final : public RequestBody {
 public:
  Measured(std::shared_ptr<ByteSource> source, std::uint64_t size)
      : source_(std::move(source)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Result<std::unique_ptr<ByteStream>> open() override {
    EH_ASSIGN(auto stream, source_->open());
    return std::make_unique<Stream>(std::move(stream), size_);
  }

 private:
  class Stream final : public ByteStream {
   public:
    Stream(std::unique_ptr<ByteStream> inner, std::uint64_t size)
        : inner_(std::move(inner)), left_(size) {}
    Result<std::size_t> read(char* out, std::size_t size) override {
      EH_ASSIGN(const std::size_t n, inner_->read(out, size));
      if (n > left_ || (n == 0 && size > 0 && left_ > 0)) return another_length();
      left_ -= n;
      return n;
    }

   private:
    std::unique_ptr<ByteStream> inner_;
    std::uint64_t left_;
  };

  const std::shared_ptr<ByteSource> source_;
  const std::uint64_t size_;
};

}  // namespace

UploadMeter::UploadMeter(std::shared_ptr<ByteSource> source, std::uint64_t part_size,
                         S3Checksum checksum, bool hashed)
    : source_(std::move(source)),
      kind_(checksum),
      hashed_(hashed),
      part_size_(part_size),
      kept_(std::string()) {
  EH_CHECK(part_size > 0);
  begin_part();
}

UploadMeter::~UploadMeter() = default;

Result<bool> UploadMeter::step(std::span<char> buffer) {
  if (!stream_) {
    EH_ASSIGN(stream_, source_->open());
  }
  for (std::size_t done = 0; done < kSliceBytes;) {
    EH_ASSIGN(const std::size_t n, stream_->read(buffer.data(), buffer.size()));
    if (n == 0) {
      stream_.reset();
      if (!too_many()) {
        end_part();
        return true;
      }
      // Once more from the beginning, in parts that are large enough.
      part_size_ = (size_ + kMaxUploadParts - 1) / kMaxUploadParts;
      size_ = 0;
      parts_.clear();
      begin_part();
      return false;
    }
    add({buffer.data(), n});
    done += n;
  }
  return false;
}

void UploadMeter::add(std::string_view bytes) {
  size_ += bytes.size();
  if (size_ > kKeptBytes)
    kept_.reset();
  else if (kept_)
    kept_->append(bytes);
  while (!bytes.empty() && !too_many()) {
    if (parts_.back().size == part_size_) {
      end_part();
      begin_part();
      continue;
    }
    const std::size_t n = static_cast<std::size_t>(
        std::min<std::uint64_t>(bytes.size(), part_size_ - parts_.back().size));
    add_to_part(bytes.substr(0, n));
    bytes.remove_prefix(n);
  }
}

void UploadMeter::begin_part() {
  parts_.emplace_back();
  // A CRC-64/NVME is there already: UploadPart::check.
  if (kind_ != S3Checksum::kCrc64Nvme) checksum_.emplace(kind_);
  if (hashed_) hash_.emplace(S3Checksum::kSha256);
}

void UploadMeter::add_to_part(std::string_view bytes) {
  PartFacts& part = parts_.back();
  part.size += bytes.size();
  part.check = crc64nvme(part.check, bytes);
  if (kind_ == S3Checksum::kCrc64Nvme && parts_.size() > 1)
    whole_check_ = crc64nvme(whole_check_, bytes);
  if (checksum_) checksum_->add(bytes);
  if (hash_) hash_->add(bytes);
}

void UploadMeter::end_part() {
  PartFacts& part = parts_.back();
  if (parts_.size() == 1) whole_check_ = part.check;
  part.checksum = checksum_ ? checksum_->value() : crc64nvme_value(part.check);
  if (hash_) part.payload_hash = to_hex(hash_->bytes());
}

UploadFacts UploadMeter::facts() {
  UploadFacts facts{size_, "", parts_.front().payload_hash, part_size_, std::move(parts_)};
  if (facts.parts.size() == 1)
    facts.checksum = facts.parts.front().checksum;
  else if (kind_ == S3Checksum::kCrc64Nvme)
    facts.checksum = crc64nvme_value(whole_check_);
  else if (kind_ != S3Checksum::kNone)
    facts.checksum = composite(kind_, facts.parts);
  return facts;
}

std::shared_ptr<RequestBody> UploadMeter::body() {
  if (kept_) return body_of(std::move(*kept_));
  return std::make_shared<Measured>(source_, size_);
}

// --- PartReader ----------------------------------------------------------------------------------

Result<bool> PartReader::seek(std::uint64_t offset, std::span<char> buffer) {
  if (at_ > offset) stream_.reset();
  EH_TRY(open());
  for (std::size_t done = 0; at_ < offset && done < UploadMeter::kSliceBytes;) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), offset - at_));
    EH_ASSIGN(const std::size_t n, stream_->read(buffer.data(), want));
    if (n == 0) return another_length();
    at_ += n;
    done += n;
  }
  return at_ == offset;
}

// At its beginning, where none is open.
Status PartReader::open() {
  if (stream_) return {};
  EH_ASSIGN(stream_, source_->open());
  at_ = 0;
  return {};
}

class PartReader::Part final : public RequestBody {
 public:
  Part(std::shared_ptr<PartReader> reader, std::uint64_t offset, std::uint64_t size)
      : reader_(std::move(reader)), offset_(offset), size_(size) {}
  std::uint64_t size() const override { return size_; }
  // Not behind the first part: to read over what is before it would take its time, here in the
  // middle of an exchange.
  Result<std::unique_ptr<ByteStream>> open() override {
    PartReader& reader = *reader_;
    if (offset_ == 0 && reader.at_ > 0) reader.stream_.reset();
    EH_TRY(reader.open());
    if (reader.at_ != offset_)
      return fail(ErrorCode::kIo, "the connection broke when a part had begun; it is sent anew");
    return std::make_unique<Stream>(reader_, size_);
  }

 private:
  class Stream final : public ByteStream {
   public:
    Stream(std::shared_ptr<PartReader> reader, std::uint64_t size)
        : reader_(std::move(reader)), left_(size) {}
    Result<std::size_t> read(char* out, std::size_t size) override {
      if (left_ == 0 || size == 0) return std::size_t{0};
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
      EH_ASSIGN(const std::size_t n, reader_->stream_->read(out, want));
      if (n == 0) return another_length();
      reader_->at_ += n;
      left_ -= n;
      return n;
    }

   private:
    const std::shared_ptr<PartReader> reader_;
    std::uint64_t left_;
  };

  const std::shared_ptr<PartReader> reader_;
  const std::uint64_t offset_, size_;
};

std::shared_ptr<RequestBody> PartReader::part(std::shared_ptr<PartReader> reader,
                                              std::uint64_t offset, std::uint64_t size) {
  return std::make_shared<Part>(std::move(reader), offset, size);
}

}  // namespace edgehose
