#include "sinks/object/age/encryptor.h"

#include "sinks/object/age/header.h"
#include "sinks/object/age/payload.h"

namespace edgehose {

Result<std::shared_ptr<AgeFile>> AgeFile::make(const std::vector<AgeRecipient>& recipients) {
  static_assert(sizeof(nonce_.bytes) == age::kPayloadNonceBytes);
  std::shared_ptr<AgeFile> file(new AgeFile);
  EH_TRY(random_bytes(file->key_.bytes.data(), file->key_.bytes.size()));
  EH_ASSIGN(file->head_, age::encode_header(file->key_, recipients));
  EH_TRY(random_bytes(file->nonce_.bytes.data(), file->nonce_.bytes.size()));
  file->head_.append(file->nonce_.view());
  return file;
}

Result<std::unique_ptr<AgeEncryptor>> AgeEncryptor::of(std::unique_ptr<ByteStream> input,
                                                       std::shared_ptr<AgeFile> file) {
  EH_ASSIGN(age::Aead aead, age::payload_aead(file->key_, file->nonce_.view()));
  return std::unique_ptr<AgeEncryptor>(
      new AgeEncryptor(std::move(input), std::move(file), std::move(aead)));
}

AgeEncryptor::AgeEncryptor(std::unique_ptr<ByteStream> input, std::shared_ptr<AgeFile> file,
                           age::Aead aead)
    : SealingStream(std::move(input), file->plaintext_),
      file_(std::move(file)),
      aead_(std::move(aead)) {
  ready_ = file_->head_;
}

Status AgeEncryptor::seal(std::uint64_t number, bool last, std::string_view plain) {
  return aead_.seal(age::chunk_nonce(number, last), plain, ready_);
}

}  // namespace edgehose
