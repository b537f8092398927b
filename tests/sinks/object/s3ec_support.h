// What the tests of the S3 Encryption Client's formats share: RSA keys in PEM, objects as sources.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <functional>
#include <string>

#include "sinks/object/s3ec/decryptor.h"
#include "sinks/object/s3ec/encryptor.h"
#include "tests/sinks/object/support.h"

namespace edgehose::test {

struct PemPair {
  std::string secret, open;
};

inline std::string written(const std::function<int(BIO*)>& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// Consumes the key.
inline PemPair pem_of(EVP_PKEY* key) {
  PemPair pair;
  pair.open = written([key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
  pair.secret = written([key](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  EVP_PKEY_free(key);
  return pair;
}

// Of 2048 bits; the same in all of a test program.
inline const PemPair& rsa_pem() {
  static const PemPair pair = pem_of(EVP_RSA_gen(2048));
  return pair;
}

inline s3ec::DataKey key_of(char c) {
  s3ec::DataKey key;
  key.bytes.fill(static_cast<std::uint8_t>(c));
  return key;
}

// The same bytes each time it is opened, in odd pieces.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::unique_ptr<ByteStream>> open() override { return stream(bytes_, 1021); }

 private:
  const std::string bytes_;
};

inline std::string encrypted(const std::shared_ptr<S3ecObject>& object, const std::string& plain) {
  auto encryptor = S3ecEncryptor::of(stream(plain, 10'000), object);
  EXPECT_TRUE(encryptor) << encryptor.error().message;
  Drained out = drain(**encryptor, 7'777);
  EXPECT_FALSE(out.error) << out.error->message;
  return out.bytes;
}

// The plaintext, or why not.
inline Result<std::string> opened(const std::string& object, const s3ec::Metadata& metadata,
                                  const std::vector<s3ec::UnwrappingKey>& keys) {
  EH_ASSIGN(const s3ec::Envelope envelope, s3ec::parse_envelope(metadata));
  StringSource source(object);
  EH_ASSIGN(const auto plain, open_s3ec(source, envelope, keys));
  Drained all = drain(*plain, 4'099);
  if (all.error) return tl::unexpected<Error>(*all.error);
  return all.bytes;
}

}  // namespace edgehose::test
