#include "sinks/object/age/encryptor.h"

#include <algorithm>
#include <cstring>

#include "sinks/object/age/header.h"
#include "sinks/object/age/payload.h"

namespace edgehose {

Result<std::shared_ptr<AgeFile>> AgeFile::make(const std::vector<AgeRecipient>& recipients) {
  static_assert(sizeof(nonce_.bytes) == age::kPayloadNonceBytes);
  std::shared_ptr<AgeFile> file(new AgeFile);
  EH_TRY(age::random_bytes(file->key_.bytes.data(), file->key_.bytes.size()));
  EH_ASSIGN(file->head_, age::encode_header(file->key_, recipients));
  EH_TRY(age::random_bytes(file->nonce_.bytes.data(), file->nonce_.bytes.size()));
  file->head_.append(file->nonce_.view());
  return file;
}

Result<std::unique_ptr<AgeEncryptor>> AgeEncryptor::make(
    std::unique_ptr<ByteStream> input, const std::vector<AgeRecipient>& recipients) {
  EH_ASSIGN(std::shared_ptr<AgeFile> file, AgeFile::make(recipients));
  return of(std::move(input), std::move(file));
}

Result<std::unique_ptr<AgeEncryptor>> AgeEncryptor::of(std::unique_ptr<ByteStream> input,
                                                       std::shared_ptr<AgeFile> file) {
  EH_ASSIGN(age::Aead aead, age::payload_aead(file->key_, file->nonce_.view()));
  return std::unique_ptr<AgeEncryptor>(
      new AgeEncryptor(std::move(input), std::move(file), std::move(aead)));
}

AgeEncryptor::AgeEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<AgeFile> file,
                           age::Aead aead)
    : input_(std::move(input)),
      file_(std::move(file)),
      aead_(std::move(aead)),
      sealed_(file_->head_) {}

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
  const auto chunk = std::string_view(plain_).substr(0, size);
  EH_TRY(file_->plaintext_.admit(chunk_, ended_, chunk));
  EH_TRY(aead_.seal(age::chunk_nonce(chunk_++, ended_), chunk, sealed_));
  plain_[0] = plain_[age::kChunkBytes];
  plain_.resize(ended_ ? 0 : 1);
  return {};
}

}  // namespace edgehose
