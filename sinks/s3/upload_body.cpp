#include "sinks/s3/upload_body.h"

#include <algorithm>

#include "agent/base/base64.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

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
      if (n > left_ || (n == 0 && size > 0 && left_ > 0))
        return fail(ErrorCode::kCorrupt,
                    "the object has another length than when it was measured; it is made anew");
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

UploadMeter::UploadMeter(std::shared_ptr<ByteSource> source, S3Checksum checksum, bool hashed)
    : source_(std::move(source)), checksum_(checksum), kept_(std::string()) {
  if (hashed) hash_.emplace(S3Checksum::kSha256);
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
      return true;
    }
    add({buffer.data(), n});
    done += n;
  }
  return false;
}

void UploadMeter::add(std::string_view bytes) {
  size_ += bytes.size();
  checksum_.add(bytes);
  if (hash_) hash_->add(bytes);
  if (size_ > kKeptBytes)
    kept_.reset();
  else
    kept_->append(bytes);
}

UploadFacts UploadMeter::facts() {
  UploadFacts facts{size_, checksum_.value(), {}};
  if (hash_) facts.payload_hash = to_hex(decode_base64(hash_->value(), true).value_or(""));
  return facts;
}

std::shared_ptr<RequestBody> UploadMeter::body() {
  if (kept_) return body_of(std::move(*kept_));
  return std::make_shared<Measured>(source_, size_);
}

}  // namespace edgehose
