// The S3 Encryption Client's formats: there and back, what must not open, keys and their messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "agent/base/base64.h"
#include "tests/sinks/object/s3ec_support.h"

namespace edgehose {
namespace {

using s3ec::Format;
using s3ec::UnwrappingKey;
using s3ec::WrappingKey;
using test::encrypted;
using test::key_of;
using test::opened;
using test::rsa_pem;
using testing::HasSubstr;
using testing::Not;

const std::size_t kSizes[] = {0, 1, 15, 16, 17, 65'535, 65'536, 65'537, 131'072, (1 << 20) + 17};

WrappingKey rsa() { return *WrappingKey::rsa(*s3ec::rsa_public_key(rsa_pem().open)); }
UnwrappingKey rsa_secret() { return *UnwrappingKey::parse(rsa_pem().secret); }
WrappingKey aes(char c = 'k') { return WrappingKey::aes(key_of(c)); }
UnwrappingKey aes_secret(char c = 'k') { return *UnwrappingKey::parse(key_of(c).view()); }

std::shared_ptr<S3ecObject> draw(Format format = Format::kV3, const WrappingKey& key = aes()) {
  auto object = S3ecObject::draw(format, key);
  EXPECT_TRUE(object) << object.error().message;
  return *object;
}

TEST(S3ec, WhatWasEncryptedOpens) {
  const std::vector<UnwrappingKey> keys{aes_secret('x'), aes_secret(), rsa_secret()};
  for (const Format format : {Format::kV2, Format::kV3})
    for (const WrappingKey& key : {aes(), rsa()})
      for (const std::size_t size : kSizes) {
        const std::string plain = test::random_text(size, 1);
        const auto object = draw(format, key);
        const std::string sealed = encrypted(object, plain);
        EXPECT_EQ(sealed.size(), size + 16);
        const auto again = opened(sealed, object->metadata(), keys);
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_TRUE(*again == plain) << size;
      }
}

TEST(S3ec, MetadataSayWhatAReaderNeeds) {
  const s3ec::Metadata v2 = draw(Format::kV2, rsa())->metadata();
  EXPECT_EQ(v2.size(), 6u);
  EXPECT_EQ(v2.at("x-amz-cek-alg"), "AES/GCM/NoPadding");
  EXPECT_EQ(v2.at("x-amz-tag-len"), "128");
  EXPECT_EQ(v2.at("x-amz-wrap-alg"), "RSA-OAEP-SHA1");
  EXPECT_EQ(v2.at("x-amz-matdesc"), "{}");
  const s3ec::Metadata v3 = draw()->metadata();
  EXPECT_EQ(v3.size(), 5u);
  EXPECT_EQ(v3.at("x-amz-c"), "115");
  EXPECT_EQ(v3.at("x-amz-w"), "02");
  EXPECT_EQ(decode_base64(v3.at("x-amz-i"), true)->size(), 28u);
  EXPECT_EQ(decode_base64(v3.at("x-amz-d"), true)->size(), 28u);
  EXPECT_EQ(decode_base64(v3.at("x-amz-3"), true)->size(), 60u);
}

TEST(S3ec, EveryObjectHasItsOwnKey) {
  for (const Format format : {Format::kV2, Format::kV3}) {
    std::set<std::string> keys, nonces;
    for (int i = 0; i < 2; ++i) {
      const auto envelope = s3ec::parse_envelope(draw(format)->metadata());
      ASSERT_TRUE(envelope);
      const auto key = aes_secret().unwrap(*envelope);
      ASSERT_TRUE(key);
      keys.emplace(key->view());
      nonces.insert(envelope->nonce);
    }
    EXPECT_EQ(keys.size(), 2u);
    EXPECT_EQ(nonces.size(), 2u);
  }
}

TEST(S3ec, AnObjectStreamsTheSameBytesAgainAndNeverOthers) {
  const std::string plain = test::log_text(200'000);
  const auto object = draw();
  const std::string sealed = encrypted(object, plain);
  EXPECT_TRUE(encrypted(object, plain) == sealed);
  std::string changed = plain;
  changed[150'000] ^= 1;
  for (const std::string& other : {changed, plain.substr(0, 199'000), plain.substr(0, 131'072),
                                   plain.substr(0, 100), plain + "x", std::string()}) {
    auto encryptor = S3ecEncryptor::of(test::stream(other), object);
    const test::Drained out = test::drain(**encryptor);
    ASSERT_TRUE(out.error) << other.size();
    EXPECT_EQ(out.error->code, ErrorCode::kCorrupt);
    EXPECT_TRUE(sealed.starts_with(out.bytes)) << "no other ciphertext under that key";
    EXPECT_FALSE((*encryptor)->read(changed.data(), 1)) << "it stays failed";
  }
}

// What ends where a chunk ends has an end of its own: without it, one that goes on would pass.
TEST(S3ec, AnObjectOfWholeChunksIsNotGoneOnWith) {
  const std::string plain = test::log_text(1 << 20).substr(0, 131'072);
  const auto object = draw();
  encrypted(object, plain);
  auto encryptor = S3ecEncryptor::of(test::stream(plain + "more"), object);
  EXPECT_TRUE(test::drain(**encryptor).error);
}

TEST(S3ec, DamageIsSeenBeforeAByteIsHandedOut) {
  const std::string plain = test::log_text(200'000);
  for (const Format format : {Format::kV2, Format::kV3}) {
    const auto object = draw(format);
    const std::string sealed = encrypted(object, plain);
    const auto told = [&](const std::string& damaged) {
      const auto envelope = s3ec::parse_envelope(object->metadata());
      test::StringSource source(damaged);
      const auto plain_stream = open_s3ec(source, *envelope, {aes_secret()});
      return plain_stream ? "opened" : std::string(name(plain_stream.error().code));
    };
    EXPECT_EQ(told(sealed), "opened");
    for (const std::size_t at : {std::size_t{0}, std::size_t{70'000}, sealed.size() - 1}) {
      std::string damaged = sealed;
      damaged[at] ^= 1;
      EXPECT_EQ(told(damaged), name(ErrorCode::kCorrupt)) << at;
    }
    EXPECT_EQ(told(sealed.substr(0, sealed.size() - 1)), name(ErrorCode::kCorrupt));
    EXPECT_EQ(told(sealed.substr(0, 15)), name(ErrorCode::kCorrupt));
    EXPECT_EQ(told(sealed + "x"), name(ErrorCode::kCorrupt));
    EXPECT_EQ(told(""), name(ErrorCode::kCorrupt));
  }
}

// A source that is replaced between the two readings.
class Changing final : public ByteSource {
 public:
  explicit Changing(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::unique_ptr<ByteStream>> open() override {
    if (opened_++ > 0) bytes_[0] ^= 1;
    return test::stream(bytes_);
  }

 private:
  std::string bytes_;
  int opened_ = 0;
};

TEST(S3ec, WhatChangesBetweenTheReadingsEndsInAnError) {
  const auto object = draw();
  Changing source(encrypted(object, "a line\n"));
  const auto plain = open_s3ec(source, *s3ec::parse_envelope(object->metadata()), {aes_secret()});
  ASSERT_TRUE(plain);
  EXPECT_TRUE(test::drain(**plain).error);
}

TEST(S3ec, WrongKeysAndSwappedMetadataDoNotOpen) {
  const auto object = draw(), other = draw();
  const std::string sealed = encrypted(object, "a line\n");
  const auto why = [&](const s3ec::Metadata& metadata, const std::vector<UnwrappingKey>& keys) {
    const auto plain = opened(sealed, metadata, keys);
    return plain ? *plain : std::string(name(plain.error().code));
  };
  EXPECT_EQ(why(object->metadata(), {aes_secret()}), "a line\n");
  EXPECT_EQ(why(object->metadata(), {}), name(ErrorCode::kAuth));
  EXPECT_EQ(why(object->metadata(), {aes_secret('x'), rsa_secret()}), name(ErrorCode::kAuth));
  EXPECT_EQ(why(other->metadata(), {aes_secret()}), name(ErrorCode::kCorrupt));
  s3ec::Metadata mixed = object->metadata();
  for (const char* swapped : {"x-amz-d", "x-amz-i"}) {
    mixed = object->metadata();
    mixed[swapped] = other->metadata().at(swapped);
    EXPECT_EQ(why(mixed, {aes_secret()}), name(ErrorCode::kAuth)) << swapped;
  }
}

std::string trouble_of(s3ec::Metadata metadata) {
  const auto envelope = s3ec::parse_envelope(metadata);
  return envelope ? "" : envelope.error().message;
}

TEST(S3ecEnvelope, WhatCannotBeOpenedIsTold) {
  const s3ec::Metadata v2 = draw(Format::kV2)->metadata(), v3 = draw()->metadata();
  const auto with = [](s3ec::Metadata metadata, const std::string& name, const std::string& value) {
    metadata[name] = value;
    return metadata;
  };
  EXPECT_EQ(trouble_of(v2), "");
  EXPECT_THAT(trouble_of(with(v2, "x-amz-wrap-alg", "kms+context")), HasSubstr("wrapped by KMS"));
  EXPECT_THAT(trouble_of(with(v3, "x-amz-w", "12")), HasSubstr("wrapped by KMS"));
  EXPECT_THAT(trouble_of(with(v3, "x-amz-w", "13")), HasSubstr("wrapped by \"13\""));
  EXPECT_THAT(trouble_of(with(v3, "x-amz-c", "116")), HasSubstr("only 115"));
  EXPECT_THAT(trouble_of(with(v2, "x-amz-cek-alg", "AES/CBC/PKCS5Padding")),
              HasSubstr("only AES/GCM/NoPadding"));
  EXPECT_THAT(trouble_of(with(v2, "x-amz-tag-len", "64")), HasSubstr("x-amz-tag-len"));
  EXPECT_THAT(trouble_of(with(v2, "x-amz-iv", "AAAA")), HasSubstr("12 bytes"));
  EXPECT_THAT(trouble_of(with(v3, "x-amz-d", "not base64")), HasSubstr("28 bytes"));
  EXPECT_THAT(trouble_of(with(v3, "x-amz-key-v2", v2.at("x-amz-key-v2"))),
              HasSubstr("two formats"));
  EXPECT_THAT(trouble_of({{"x-amz-key", "AAAA"}}), HasSubstr("format v1"));
  EXPECT_THAT(trouble_of({{"x-amz-c", "115"}}), HasSubstr("lack x-amz-w"));
  EXPECT_FALSE(s3ec::is_encrypted({{"gateway", "gw-1"}}));
  EXPECT_TRUE(s3ec::is_encrypted(v2) && s3ec::is_encrypted(v3));
}

std::string trouble_with_public(std::string_view pem) {
  const auto der = s3ec::rsa_public_key(pem);
  return der ? "" : der.error().message;
}
std::string trouble_with_secret(std::string_view content) {
  const auto key = UnwrappingKey::parse(content);
  return key ? "" : key.error().message;
}

TEST(S3ecKeys, WhatIsNoPublicRsaKeyIsToldWithoutIt) {
  EXPECT_EQ(trouble_with_public(rsa_pem().open), "");
  const std::string secret = trouble_with_public(rsa_pem().secret);
  EXPECT_THAT(secret, HasSubstr("is a private key"));
  EXPECT_THAT(secret, Not(HasSubstr(rsa_pem().secret.substr(100, 20))));
  EXPECT_THAT(trouble_with_public("nonsense"), HasSubstr("no public key in PEM"));
  EXPECT_THAT(trouble_with_public(""), HasSubstr("no public key in PEM"));
  EXPECT_THAT(trouble_with_public(test::pem_of(EVP_RSA_gen(1024)).open), HasSubstr("1024 bits"));
  EXPECT_THAT(trouble_with_public(test::pem_of(EVP_EC_gen("P-256")).open),
              HasSubstr("not an RSA key"));
  EXPECT_FALSE(WrappingKey::rsa("nonsense"));
  EXPECT_FALSE(WrappingKey::rsa(*s3ec::rsa_public_key(rsa_pem().open) + "x"));
}

TEST(S3ecKeys, TheOlderFormOfAPublicKeyIsTaken) {
  test::TemporaryDirectory directory;
  test::write_file(directory.file("key"), rsa_pem().open);
  const std::string older =
      test::run("openssl rsa -pubin -RSAPublicKey_out 2>/dev/null -in " + directory.file("key"));
  EXPECT_THAT(older, HasSubstr("BEGIN RSA PUBLIC KEY"));
  EXPECT_EQ(*s3ec::rsa_public_key(older), *s3ec::rsa_public_key(rsa_pem().open));
}

TEST(S3ecKeys, WhatOpensNothingIsToldWithoutIt) {
  EXPECT_EQ(trouble_with_secret(rsa_pem().secret), "");
  EXPECT_THAT(trouble_with_secret(rsa_pem().open), HasSubstr("no private key in PEM"));
  EXPECT_THAT(trouble_with_secret("0123456789abcdef"), HasSubstr("has 16 bytes"));
  EXPECT_THAT(trouble_with_secret("0123456789abcdef"), Not(HasSubstr("89abcdef")));
  test::TemporaryDirectory directory;
  test::write_file(directory.file("key"), rsa_pem().secret);
  EXPECT_THAT(trouble_with_secret(
                  test::run("openssl pkey -aes256 -passout pass:x -in " + directory.file("key"))),
              HasSubstr("passphrase"));
}

TEST(S3ecKeys, AnAesKeyIs32BytesOrTheirBase64) {
  const std::string bytes(key_of('k').view());
  const std::string text = encode_base64(bytes, true);
  for (const std::string& content : {bytes, text, text + "\n", text + "\r\n"}) {
    const auto key = s3ec::aes_key(content);
    ASSERT_TRUE(key) << content.size();
    EXPECT_EQ(key->view(), bytes);
  }
  for (const std::string& content :
       {std::string(), bytes.substr(1), bytes + "\n", text + " ", encode_base64(bytes + "k", true)})
    EXPECT_FALSE(s3ec::aes_key(content)) << content.size();
}

}  // namespace
}  // namespace edgehose
