#include "sinks/object/s3ec/decryptor.h"

#include <string>

#include "sinks/object/s3ec/content_key.h"

namespace edgehose {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

// One reading. At its end the tag is checked.
class Decryptor final : public PieceStream {
 public:
  Decryptor(std::unique_ptr<ByteStream> input, s3ec::Gcm gcm)
      : input_(std::move(input)), gcm_(std::move(gcm)) {}
  ~Decryptor() override { wipe(ready_); }

 private:
  // The last 16 bytes that came are held back: they may be the tag.
  Status refill() override {
    ready_.clear();
    const std::size_t held = sealed_.size();
    sealed_.resize(held + kChunkBytes);
    auto n = input_->read(sealed_.data() + held, kChunkBytes);
    sealed_.resize(held + n.value_or(0));
    if (!n) return tl::unexpected<Error>(std::move(n).error());
    if (*n == 0) return finish();
    if (sealed_.size() <= s3ec::kTagBytes) return {};
    ready_.resize(sealed_.size() - s3ec::kTagBytes);
    EH_TRY(gcm_.update(std::string_view(sealed_).substr(0, ready_.size()), ready_.data()));
    sealed_.erase(0, ready_.size());
    return {};
  }

  Status finish() {
    ended_ = true;
    if (sealed_.size() < s3ec::kTagBytes)
      return fail(ErrorCode::kCorrupt, "it is cut short: it has {} bytes", sealed_.size());
    EH_ASSIGN(const bool authentic, gcm_.verify(sealed_));
    if (authentic) return {};
    return fail(ErrorCode::kCorrupt,
                "it is not authentic: damaged, cut short, or not the object of these metadata");
  }

  std::unique_ptr<ByteStream> input_;
  s3ec::Gcm gcm_;
  std::string sealed_;
};

Result<s3ec::DataKey> unwrap(const s3ec::Envelope& envelope,
                             const std::vector<s3ec::UnwrappingKey>& keys) {
  for (const s3ec::UnwrappingKey& key : keys) {
    auto unwrapped = key.unwrap(envelope);
    if (unwrapped || unwrapped.error().code != ErrorCode::kAuth) return unwrapped;
  }
  const char* const what =
      envelope.wrap == s3ec::Wrap::kAesGcm ? "the AES key" : "the RSA private key";
  return fail(ErrorCode::kAuth,
              "it is encrypted for the S3 Encryption Client, and {}: give {} that its data key was "
              "wrapped with",
              keys.empty() ? "no key is given" : "no given key opens it", what);
}

Result<std::unique_ptr<ByteStream>> begin(ByteSource& object, const s3ec::ContentKey& content) {
  EH_ASSIGN(auto input, object.open());
  EH_ASSIGN(s3ec::Gcm gcm, content.begin(s3ec::Gcm::Mode::kOpen));
  return std::make_unique<Decryptor>(std::move(input), std::move(gcm));
}

}  // namespace

Result<std::unique_ptr<ByteStream>> open_s3ec(ByteSource& object, const s3ec::Envelope& envelope,
                                              const std::vector<s3ec::UnwrappingKey>& keys) {
  EH_ASSIGN(const s3ec::DataKey data_key, unwrap(envelope, keys));
  EH_ASSIGN(const s3ec::ContentKey content,
            s3ec::derive_content_key(envelope.format, data_key, envelope.nonce));
  if (!equal_in_constant_time(content.commitment, envelope.commitment))
    return fail(ErrorCode::kAuth,
                "its key is not the one that it commits to: the metadata were changed");
  EH_ASSIGN(const auto first, begin(object, content));
  std::string scratch(kChunkBytes, '\0');
  for (std::size_t n = 1; n > 0;) {
    EH_ASSIGN(n, first->read(scratch.data(), scratch.size()));
  }
  wipe(scratch);
  return begin(object, content);
}

}  // namespace edgehose
