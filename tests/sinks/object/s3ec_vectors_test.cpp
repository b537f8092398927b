// The S3 Encryption Client beside known answers: AWS's for the derivation of keys, what AWS's
// client for Python encrypted (its KMS stood in for), and objects made from the formats' layouts.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/base/base64.h"
#include "agent/base/text.h"
#include "sinks/object/s3ec/content_key.h"
#include "tests/sinks/need_vectors.h"
#include "tests/sinks/object/s3ec_support.h"

namespace edgehose {
namespace {

using Json = nlohmann::json;

Json vectors(const std::string& name) {
  return Json::parse(test::read_whole(EDGEHOSE_VECTORS_DIR "/s3ec/" + name + ".json"));
}

std::string hex(const Json& vector, const char* name) {
  return *from_hex(vector.at(name).get<std::string>());
}
std::string base64(const Json& vector, const char* name) {
  return *decode_base64(vector.at(name).get<std::string>(), true);
}

// In one piece, or in those of a multipart upload.
std::string whole(const Json& vector, const std::string& name) {
  if (vector.contains(name + "_b64")) return base64(vector, (name + "_b64").c_str());
  std::string all;
  for (const Json& part : vector.at(name + "_parts_b64"))
    all += *decode_base64(part.get<std::string>(), true);
  return all;
}

s3ec::DataKey data_key(const std::string& bytes) {
  s3ec::DataKey key;
  EXPECT_EQ(bytes.size(), key.bytes.size());
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

TEST(S3ecVectors, KeysAreDerivedAsPublished) {
  EDGEHOSE_NEED_VECTORS();
  const Json all = vectors("hkdf-commit-kat");
  EXPECT_EQ(all.at("vectors").size(), 2u);
  for (const Json& vector : all.at("vectors")) {
    const auto derived = s3ec::derive_content_key(
        s3ec::Format::kV3, data_key(hex(vector, "data_key")), hex(vector, "message_id"));
    ASSERT_TRUE(derived);
    EXPECT_EQ(derived->key.view(), hex(vector, "derived_encryption_key"));
    EXPECT_EQ(derived->commitment, hex(vector, "key_commitment"));
  }
}

// Their data keys are told, since KMS alone unwraps them.
TEST(S3ecVectors, ContentOfThePythonClientOpens) {
  EDGEHOSE_NEED_VECTORS();
  const Json all = vectors("official-python-client-kms-context");
  for (const Json& vector : all.at("vectors")) {
    const bool v3 = vector.at("message_format") == "v3";
    const Json& metadata = vector.at("metadata");
    const auto content =
        s3ec::derive_content_key(v3 ? s3ec::Format::kV3 : s3ec::Format::kV2,
                                 data_key(base64(vector, "plaintext_data_key_b64")),
                                 base64(metadata, v3 ? "x-amz-i" : "x-amz-iv"));
    ASSERT_TRUE(content);
    EXPECT_EQ(content->commitment, v3 ? base64(metadata, "x-amz-d") : "");
    const std::string expected = whole(vector, "plaintext"), sealed = whole(vector, "ciphertext");
    std::string plain(sealed.size() - 16, '\0');
    auto gcm = content->begin(s3ec::Gcm::Mode::kOpen);
    ASSERT_TRUE(gcm && gcm->update(std::string_view(sealed).substr(0, plain.size()), plain.data()));
    EXPECT_TRUE(*gcm->verify(std::string_view(sealed).substr(plain.size())));
    EXPECT_TRUE(plain == expected) << vector.at("name");
  }
}

TEST(S3ecVectors, ObjectsUnderAesAndRsaOpen) {
  EDGEHOSE_NEED_VECTORS();
  const Json all = vectors("synthetic-raw-aes-rsa");
  const std::vector<s3ec::UnwrappingKey> keys{
      *s3ec::UnwrappingKey::parse(base64(all, "aes_wrapping_key_b64")),
      *s3ec::UnwrappingKey::parse(all.at("rsa_private_key_pem").get<std::string>())};
  EXPECT_EQ(all.at("vectors").size(), 12u);
  for (const Json& vector : all.at("vectors")) {
    const auto plain = test::opened(base64(vector, "ciphertext_b64"),
                                    vector.at("metadata").get<s3ec::Metadata>(), keys);
    ASSERT_TRUE(plain) << vector.at("name") << ": " << plain.error().message;
    EXPECT_TRUE(*plain == base64(vector, "plaintext_b64")) << vector.at("name");
  }
}

}  // namespace
}  // namespace edgehose
