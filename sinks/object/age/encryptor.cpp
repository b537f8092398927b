#include "sinks/object/age/encryptor.h"

#include <algorithm>
#include <cstring>

#include "sinks/object/age/header.h"
#include "sinks/object/age/payload.h"

namespace edgehose {

Result<std::unique_ptr<AgeEncryptor>> AgeEncryptor::make(
    std::unique_ptr<ByteStream> input, const std::vector<AgeRecipient>& recipients) {
  age::FileKey file_key;
  EH_TRY(age::random_bytes(file_key.bytes.data(), file_key.bytes.size()));
  EH_ASSIGN(std::string head, age::encode_header(file_key, recipients));
  age::Secret<age::kPayloadNonceBytes> nonce;
  EH_TRY(age::random_bytes(nonce.bytes.data(), nonce.bytes.size()));
  head.append(nonce.view());
  EH_ASSIGN(age::Aead aead, age::payload_aead(file_key, nonce.view()));
  return std::unique_ptr<AgeEncryptor>(
      new AgeEncryptor(std::move(input), std::move(aead), std::move(head)));
}

AgeEncryptor::AgeEncryptor(std::unique_ptr<ByteStream> input, age::Aead aead, std::string head)
    : input_(std::move(input)), aead_(std::move(aead)), sealed_(std::move(head)) {}

AgeEncryptor::~AgeEncryptor() {
  plain_.resize(plain_.capacity());
  age::wipe(plain_);
}

Result<std::size_t> AgeEncryptor::read(char* out, std::size_t size) {
  if (failed_) return tl::unexpected<Error>(*failed_);
  if (size == 0) return std::size_t{0};
  if (used_ == sealed_.size() && !ended_) {
    if (auto status = next_chunk(); !status) {
      failed_ = status.error();
      return tl::unexpected<Error>(*failed_);
    }
  }
  const std::size_t n = std::min(size, sealed_.size() - used_);
  std::memcpy(out, sealed_.data() + used_, n);
  used_ += n;
  return n;
}

Status AgeEncryptor::next_chunk() {
  std::size_t have = plain_.size();  // 0 or 1
  plain_.resize(age::kChunkBytes + 1);
  while (have < plain_.size()) {
    EH_ASSIGN(const std::size_t n, input_->read(plain_.data() + have, plain_.size() - have));
    if (n == 0) break;
    have += n;
  }
  ended_ = have <= age::kChunkBytes;
  const std::size_t size = std::min(have, age::kChunkBytes);
  sealed_.clear();
  used_ = 0;
  EH_TRY(aead_.seal(age::chunk_nonce(chunk_++, ended_), std::string_view(plain_).substr(0, size),
                    sealed_));
  plain_[0] = plain_[age::kChunkBytes];
  plain_.resize(ended_ ? 0 : 1);
  return {};
}

}  // namespace edgehose
