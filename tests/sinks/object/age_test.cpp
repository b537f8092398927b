// age: keys and their messages, interoperation with the age tool, damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/object/age/decryptor.h"
#include "sinks/object/age/encryptor.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using test::drain;
using test::stream;
using testing::HasSubstr;
using testing::Not;

constexpr char kIdentity[] =
    "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

Result<std::unique_ptr<AgeEncryptor>> encryptor_of(std::unique_ptr<ByteStream> plain,
                                                   const std::vector<AgeRecipient>& recipients) {
  EH_ASSIGN(auto file, AgeFile::make(recipients));
  return AgeEncryptor::of(std::move(plain), std::move(file));
}

std::string encrypt(const std::string& plain, const std::vector<AgeRecipient>& recipients,
                    std::size_t piece = 10'000) {
  auto encryptor = encryptor_of(stream(plain, piece), recipients);
  EXPECT_TRUE(encryptor) << encryptor.error().message;
  test::Drained out = drain(**encryptor, 7'777);
  EXPECT_FALSE(out.error);
  return out.bytes;
}

test::Drained decrypt(const std::string& file, const std::vector<AgeIdentity>& identities) {
  AgeDecryptor decryptor(stream(file), identities);
  return drain(decryptor);
}

const std::size_t kPlainSizes[] = {0,       1,       65'535,  65'536,        65'537,
                                   131'072, 131'073, 1 << 20, (1 << 20) + 17};

TEST(AgeKeys, GeneratedKeysReadBackAndDiffer) {
  const auto identity = AgeIdentity::generate();
  ASSERT_TRUE(identity);
  const std::string text = identity->to_string();
  EXPECT_TRUE(text.starts_with("AGE-SECRET-KEY-1"));
  EXPECT_EQ(text.size(), 74u);
  const auto again = AgeIdentity::parse(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->to_string(), text);
  const std::string recipient = identity->recipient().to_string();
  EXPECT_EQ(recipient.size(), 62u);
  EXPECT_EQ(AgeRecipient::parse(recipient)->to_string(), recipient);
  EXPECT_EQ(again->recipient().to_string(), recipient);
  EXPECT_NE(AgeIdentity::generate()->to_string(), text);
}

TEST(AgeKeys, TheToolDerivesTheSameRecipient) {
  test::TemporaryDirectory directory;
  const auto identity = AgeIdentity::generate();
  test::write_file(directory.file("key"), identity->to_string() + "\n");
  EXPECT_EQ(test::run("age-keygen -y " + directory.file("key")),
            identity->recipient().to_string() + "\n");
}

TEST(AgeKeys, AWrongRecipientSaysWhatIsWrong) {
  const std::string good = AgeIdentity::parse(kIdentity)->recipient().to_string();
  const auto message = [](const std::string& text) {
    const auto parsed = AgeRecipient::parse(text);
    EXPECT_FALSE(parsed) << text;
    return parsed ? "" : parsed.error().message;
  };
  std::string changed = good;
  changed[20] = changed[20] == 'q' ? 'p' : 'q';
  EXPECT_THAT(message(changed), HasSubstr("checksum"));
  EXPECT_THAT(message(good.substr(0, 40)), HasSubstr("checksum"));
  std::string foreign = good;
  foreign[10] = 'b';
  EXPECT_THAT(message(foreign), HasSubstr("character 11 cannot occur"));
  std::string mixed = good;
  mixed[10] = 'Q';
  EXPECT_THAT(message(mixed), HasSubstr("mixes upper and lower case"));
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("hello"), HasSubstr("does not begin with age1"));
  EXPECT_THAT(message("ssh-ed25519 AAAA"), HasSubstr("SSH keys are not supported"));
  EXPECT_THAT(message("age1pq1xyz"), HasSubstr("post-quantum"));
  EXPECT_THAT(message("age1yubikey1qqqq"), HasSubstr("plugins are not supported"));
}

TEST(AgeKeys, AnErrorNeverRepeatsAPrivateKey) {
  const auto recipient = AgeRecipient::parse(kIdentity);
  ASSERT_FALSE(recipient);
  EXPECT_THAT(recipient.error().message, HasSubstr("private key"));
  EXPECT_THAT(recipient.error().message, Not(HasSubstr("EGTZVFF")));
  std::string damaged = kIdentity;
  damaged[30] = 'Q';
  const auto identity = AgeIdentity::parse(damaged);
  ASSERT_FALSE(identity);
  EXPECT_THAT(identity.error().message, HasSubstr("checksum"));
  EXPECT_THAT(identity.error().message, Not(HasSubstr("EGTZVFF")));
}

TEST(AgeKeys, AnIdentityFileIsReadLineByLine) {
  const std::string file = std::string("# created: today\n# public key: age1...\n") + kIdentity +
                           "\r\n\n" + AgeIdentity::generate()->to_string();
  const auto identities = AgeIdentity::parse_file(file);
  ASSERT_TRUE(identities) << identities.error().message;
  EXPECT_EQ(identities->size(), 2u);
  const auto bad = AgeIdentity::parse_file("# a comment\nage1xyz\n");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("line 2"));
  EXPECT_THAT(bad.error().message, HasSubstr("public key"));
  EXPECT_FALSE(AgeIdentity::parse_file("# nothing\n"));
}

TEST(AgeFile, EveryRecipientReadsItBackAndNobodyElse) {
  const auto a = *AgeIdentity::generate(), b = *AgeIdentity::generate(),
             c = *AgeIdentity::generate();
  for (const std::size_t size : kPlainSizes) {
    const std::string plain = test::random_text(size, 1);
    const std::string file = encrypt(plain, {a.recipient(), b.recipient()});
    for (const auto& identity : {a, b}) {
      const auto out = decrypt(file, {c, identity});
      EXPECT_FALSE(out.error);
      EXPECT_EQ(out.bytes, plain) << size;
    }
    const auto out = decrypt(file, {c});
    ASSERT_TRUE(out.error);
    EXPECT_EQ(out.error->code, ErrorCode::kAuth);
    EXPECT_EQ(out.bytes, "");
  }
}

TEST(AgeFile, AnInputThatFailsFailsTheStream) {
  class Broken final : public ByteStream {
    Result<std::size_t> read(char*, std::size_t) override { return fail(ErrorCode::kIo, "gone"); }
  };
  const auto identity = *AgeIdentity::generate();
  auto encryptor = encryptor_of(std::make_unique<Broken>(), {identity.recipient()});
  EXPECT_EQ(drain(**encryptor).error->message, "gone");
  char byte;
  EXPECT_FALSE((*encryptor)->read(&byte, 1));  // stays failed
  AgeDecryptor decryptor(std::make_unique<Broken>(), {identity});
  EXPECT_EQ(drain(decryptor).error->message, "gone");
  EXPECT_FALSE(decryptor.failure());
}

// A key and a nonce must never seal two plaintexts.
TEST(AgeFile, WhatDiffersWhenItIsStreamedAgainIsNotSealed) {
  const auto identity = *AgeIdentity::generate();
  const auto file = *AgeFile::make({identity.recipient()});
  const std::string text = test::random_text(200'000, 1);
  const auto seal = [&](const std::string& plain) {
    return drain(**AgeEncryptor::of(stream(plain), file));
  };
  const auto first = seal(text);
  EXPECT_FALSE(first.error);
  EXPECT_TRUE(seal(text).bytes == first.bytes);
  std::string other = text;
  other[150'000] ^= 1;
  const auto changed = seal(other);
  ASSERT_TRUE(changed.error);
  EXPECT_EQ(changed.error->code, ErrorCode::kCorrupt);
  EXPECT_TRUE(first.bytes.starts_with(changed.bytes)) << "nothing of the difference goes out";
  EXPECT_TRUE(seal(text.substr(0, 190'000)).error) << "a shorter one differs in its last chunk";
}

TEST(AgeFile, NoRecipientIsAnError) {
  EXPECT_FALSE(AgeFile::make({}));
  // A point of low order cannot be encrypted to.
  EXPECT_FALSE(AgeFile::make({AgeRecipient(age::Point{})}));
}

TEST(AgeInterop, TheToolDecryptsOurs) {
  test::TemporaryDirectory directory;
  const auto a = *AgeIdentity::generate(), b = *AgeIdentity::generate();
  test::write_file(directory.file("a"), a.to_string() + "\n");
  test::write_file(directory.file("b"), b.to_string() + "\n");
  for (const std::size_t size : kPlainSizes) {
    const std::string plain = test::random_text(size, 2);
    test::write_file(directory.file("o.age"), encrypt(plain, {a.recipient(), b.recipient()}));
    for (const char* key : {"a", "b"}) {
      const std::string out =
          test::run("age -d -i " + directory.file(key) + " " + directory.file("o.age"));
      EXPECT_EQ(out, plain) << size;
    }
  }
}

TEST(AgeInterop, WeDecryptTheTools) {
  test::TemporaryDirectory directory;
  const auto a = *AgeIdentity::generate(), b = *AgeIdentity::generate();
  for (const std::size_t size : kPlainSizes) {
    const std::string plain = test::random_text(size, 3);
    test::write_file(directory.file("plain"), plain);
    for (const char* armor : {"", "-a "}) {
      const std::string file =
          test::run(std::string("age ") + armor + "-r " + a.recipient().to_string() + " -r " +
                    b.recipient().to_string() + " " + directory.file("plain"));
      for (const auto& identity : {a, b}) {
        const auto out = decrypt(file, {identity});
        EXPECT_FALSE(out.error) << out.error->message;
        EXPECT_EQ(out.bytes, plain) << size << armor;
      }
    }
  }
}

TEST(AgeDamage, EveryCutAndEveryChangeIsAnError) {
  const auto identity = *AgeIdentity::parse(kIdentity);
  const std::string plain = test::random_text(70'000, 4);
  const std::string file = encrypt(plain, {identity.recipient()});
  std::mt19937 random(5);
  for (int i = 0; i < 400; ++i) {
    // Half of the damage in the header, where the grammar is.
    const std::size_t at = random() % (i % 2 ? 250 : file.size());
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    const auto changed = decrypt(damaged, {identity});
    EXPECT_TRUE(changed.error) << "bit flipped at " << at;
    EXPECT_TRUE(plain.starts_with(changed.bytes));
    const auto cut = decrypt(file.substr(0, at), {identity});
    EXPECT_TRUE(cut.error) << "cut at " << at;
    EXPECT_TRUE(plain.starts_with(cut.bytes));
  }
}

}  // namespace
}  // namespace edgehose
