// `edgehose decrypt` of objects whose key is in their metadata.
#include "agent/base/base64.h"
#include "tests/agent/commands/cli_fixture.h"
#include "tests/sinks/object/s3ec_support.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string json_of(const s3ec::Metadata& metadata) {
  std::string all;
  for (const auto& [name, value] : metadata)
    all += (all.empty() ? "" : ", ") + ("\"" + name + "\": \"" + value + "\"");
  return "{" + all + "}";
}

class DecryptS3ecTest : public CliTest {
 protected:
  void SetUp() override {
    write("aes.key", std::string(test::key_of('k').view()));
    write("aes.txt", encode_base64(test::key_of('k').view(), true) + "\n");
    write("other.key", std::string(test::key_of('x').view()));
    write("private.pem", test::rsa_pem().secret);
    seal("a.log", s3ec::WrappingKey::aes(test::key_of('k')), s3ec::Format::kV3);
    const std::string der = *s3ec::rsa_public_key(test::rsa_pem().open);
    seal("b.log", *s3ec::WrappingKey::rsa(der), s3ec::Format::kV2);
  }
  // The object, and what head-object prints of it.
  void seal(const std::string& name, const s3ec::WrappingKey& key, s3ec::Format format) {
    const auto object = *S3ecObject::draw(format, key);
    write(name, test::encrypted(object, kPlain));
    metadata = json_of(object->metadata());
    write(name + ".json", R"({"ContentLength": 29, "Metadata": )" + metadata + "}");
  }

  const std::string kPlain = "one\ntwo\nthree\n";
  std::string metadata;  // of the last one
};

TEST_F(DecryptS3ecTest, OpensWithTheKeyAndTheMetadata) {
  EXPECT_EQ(run("decrypt --s3ec-key aes.key --metadata a.log.json a.log").out, kPlain);
  EXPECT_EQ(run("decrypt --s3ec-key aes.txt --metadata a.log.json a.log").out, kPlain);
  EXPECT_EQ(run("decrypt --s3ec-key private.pem --metadata b.log.json b.log").out, kPlain);
  const std::string keys = "--s3ec-key other.key --s3ec-key aes.key --s3ec-key private.pem";
  EXPECT_EQ(run("decrypt " + keys + " --metadata a.log.json --metadata b.log.json a.log b.log").out,
            kPlain + kPlain);
  EXPECT_EQ(run("decrypt --s3ec-key aes.key --metadata a.log.json - <a.log").out, kPlain)
      << "a file, though it comes by standard input";
}

TEST_F(DecryptS3ecTest, WhatIsMissingIsToldAndNothingGoesOut) {
  const auto told = [&](const std::string& arguments, int code = 1) {
    const Outcome outcome = run("decrypt " + arguments);
    EXPECT_EQ(outcome.code, code) << arguments;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(told("--metadata a.log.json a.log"), HasSubstr("--s3ec-key FILE"));
  EXPECT_THAT(told("--s3ec-key other.key --metadata a.log.json a.log"),
              HasSubstr("a.log: it is encrypted for the S3 Encryption Client, and no given key"));
  EXPECT_THAT(told("--s3ec-key aes.key --metadata b.log.json a.log"), HasSubstr("RSA private key"));
  write("a.log.zst", read("a.log"));
  EXPECT_THAT(told("--s3ec-key aes.key a.log.zst"), HasSubstr("needs its --metadata"));
  EXPECT_THAT(told("--s3ec-key aes.key --metadata a.log.json a.log b.log", 2),
              HasSubstr("2 files need as many --metadata"));
  EXPECT_THAT(told("--s3ec-key a.log.json --metadata a.log.json a.log", 2),
              HasSubstr("a.log.json: it is neither a private key in PEM nor an AES key"));
  EXPECT_THAT(told("--s3ec-key aes.key --metadata aes.key a.log", 2),
              HasSubstr("aes.key: it is not what \"aws s3api head-object\" prints"));
  const Outcome piped = run("decrypt --s3ec-key aes.key --metadata a.log.json -", "cat a.log |");
  EXPECT_EQ(piped.code, 1);
  EXPECT_EQ(piped.out, "");
  EXPECT_THAT(piped.err, HasSubstr("cannot be read twice"));
}

TEST_F(DecryptS3ecTest, OfWhatIsDamagedNothingGoesOut) {
  std::string damaged = read("a.log");
  damaged.back() ^= 1;
  write("a.log", damaged);
  const Outcome outcome = run("decrypt --s3ec-key aes.key --metadata a.log.json a.log");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "") << "not even what came before";
  EXPECT_THAT(outcome.err, HasSubstr("a.log: it is not authentic"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("--s3ec-key FILE")));
}

// S3 decrypts those itself: what was downloaded opens with its metadata and without.
TEST_F(DecryptS3ecTest, ObjectsUnderACustomersKeyNeedNothing) {
  write("c.log", kPlain);
  write("c.json",
        R"({"SSECustomerAlgorithm": "AES256", "Metadata": {"edgehose-sse-c-key-id": "0011"}})");
  EXPECT_EQ(run("decrypt --metadata c.json c.log").out, kPlain);
  EXPECT_EQ(run("decrypt c.log").out, kPlain);
}

}  // namespace
}  // namespace edgehose
