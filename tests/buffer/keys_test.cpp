#include "buffer/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "agent/base/text.h"

namespace edgehose {
namespace {

using testing::HasSubstr;
using testing::Not;

WrappingKey wrapping(std::string name, std::uint8_t seed) {
  WrappingKey k;
  k.name = std::move(name);
  for (std::size_t i = 0; i < k.bytes.size(); ++i) k.bytes[i] = static_cast<std::uint8_t>(seed + i);
  return k;
}

std::vector<std::string> written(const Keyring& ring, std::vector<std::string> before = {}) {
  for (const WrappedKey& w : ring.to_write()) before.push_back(w.bytes);
  return before;
}

struct Sealed {
  std::uint64_t key = 0;
  std::string data;
  Nonce nonce{};
  Tag tag{};
};

Sealed seal(Keyring& ring, std::string_view associated, std::string plain) {
  Sealed s{ring.current(), std::move(plain), {}, {}};
  EXPECT_TRUE(ring.seal(s.key, associated, s.data.data(), s.data.size(), s.nonce, s.tag));
  return s;
}

Result<std::string> open(const Keyring& ring, std::string_view associated, Sealed s) {
  EH_TRY(ring.open(s.key, associated, s.data.data(), s.data.size(), s.nonce, s.tag));
  return s.data;
}

class Ciphers : public testing::TestWithParam<Cipher> {};
INSTANTIATE_TEST_SUITE_P(Each, Ciphers,
                         testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305));

TEST_P(Ciphers, OpensWhatItSealedAndNothingElse) {
  auto ring = Keyring::open({}, {wrapping("a", 1)}, GetParam());
  ASSERT_TRUE(ring);
  ASSERT_TRUE(ring->encrypts());
  const Sealed good = seal(*ring, "header", "the columns of a block");
  EXPECT_NE(good.data, "the columns of a block");
  EXPECT_EQ(open(*ring, "header", good).value(), "the columns of a block");

  EXPECT_EQ(open(*ring, "headeR", good).error().code, ErrorCode::kCorrupt);
  for (const auto& damage : std::vector<void (*)(Sealed&)>{
           [](Sealed& s) { s.data[3] ^= 1; }, [](Sealed& s) { s.nonce[0] ^= 1; },
           [](Sealed& s) { s.nonce[11] ^= 1; }, [](Sealed& s) { s.tag[15] ^= 0x80; },
           [](Sealed& s) { s.data.pop_back(); }}) {
    Sealed bad = good;
    damage(bad);
    Sealed zeroed = bad;
    EXPECT_EQ(open(*ring, "header", bad).error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(ring->open(zeroed.key, "header", zeroed.data.data(), zeroed.data.size(),
                            zeroed.nonce, zeroed.tag));
    EXPECT_EQ(zeroed.data, std::string(zeroed.data.size(), '\0'));
  }
  Sealed other_key = good;
  other_key.key += 1;
  EXPECT_EQ(open(*ring, "header", other_key).error().code, ErrorCode::kAuth);
}

TEST_P(Ciphers, TheStoredKeyRemembersItsCipher) {
  auto first = Keyring::open({}, {wrapping("a", 1)}, GetParam());
  ASSERT_TRUE(first);
  const Sealed s = seal(*first, "h", "text");
  for (const Cipher other : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    auto again = Keyring::open(written(*first), {wrapping("a", 1)}, other);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->to_write().empty());
    EXPECT_EQ(again->current(), first->current());
    EXPECT_EQ(open(*again, "h", s).value(), "text");
  }
}

TEST(Keyring, NoncesNeverRepeatAndDoNotFollowFromTheData) {
  std::set<Nonce> seen;
  std::vector<std::string> stored;
  for (int boot = 0; boot < 4; ++boot) {
    auto ring = Keyring::open(stored, {wrapping("a", 1)});
    ASSERT_TRUE(ring);
    if (boot == 0) stored = written(*ring);
    for (int i = 0; i < 100; ++i)
      EXPECT_TRUE(seen.insert(seal(*ring, "same", "same").nonce).second);
  }
}

TEST(Keyring, WithoutKeysNothingIsEncrypted) {
  auto ring = Keyring::open({}, {});
  ASSERT_TRUE(ring);
  EXPECT_FALSE(ring->encrypts());
  EXPECT_EQ(ring->current(), 0u);
  EXPECT_TRUE(ring->to_write().empty());
  const std::string kept = ring->seal_value("k", "plain").value();
  EXPECT_EQ(kept.size(), 1 + 4 + 5u);
  EXPECT_TRUE(kept.ends_with("plain"));
  EXPECT_FALSE(ring->open_value("other", kept));
  for (std::size_t i = 0; i < kept.size(); ++i) {
    std::string bad = kept;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(ring->open_value("k", bad)) << "byte " << i;
  }
  // Keys on a so far plain buffer: what is there stays readable.
  auto later = Keyring::open({}, {wrapping("a", 1)});
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->encrypts());
  EXPECT_EQ(later->open_value("k", kept).value(), "plain");
}

TEST(Keyring, RotationMakesANewDataKeyAndFreesTheOldWrappingKey) {
  const WrappingKey old_key = wrapping("old", 1), new_key = wrapping("new", 99);
  auto before = Keyring::open({}, {old_key});
  ASSERT_TRUE(before);
  const Sealed s = seal(*before, "h", "before");

  auto during = Keyring::open(written(*before), {new_key, old_key});
  ASSERT_TRUE(during);
  EXPECT_NE(during->current(), before->current());
  EXPECT_GT(during->current(), before->current());
  EXPECT_EQ(open(*during, "h", s).value(), "before");
  ASSERT_EQ(during->to_write().size(), 2u);  // the new one, and the old one wrapped anew
  const Sealed t = seal(*during, "h", "during");

  auto after = Keyring::open(written(*during), {new_key});  // the old key left the config
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->to_write().empty());
  EXPECT_EQ(after->current(), during->current());
  EXPECT_EQ(open(*after, "h", s).value(), "before");
  EXPECT_EQ(open(*after, "h", t).value(), "during");
}

TEST(Keyring, AMissingOrWrongKeyIsNamedByFingerprintAndNothingElse) {
  const WrappingKey right = wrapping("right", 1), wrong = wrapping("wrong.key", 50);
  auto ring = Keyring::open({}, {right});
  ASSERT_TRUE(ring);
  for (const auto& config : {std::vector<WrappingKey>{}, std::vector<WrappingKey>{wrong}}) {
    const auto failed = Keyring::open(written(*ring), config);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kAuth);
    EXPECT_THAT(failed.error().message, HasSubstr(fingerprint(right)));
    EXPECT_THAT(failed.error().message, HasSubstr("encryption_keys"));
    EXPECT_THAT(failed.error().message,
                Not(HasSubstr(to_hex({reinterpret_cast<const char*>(right.bytes.data()), 32}))));
    const Keyring some = Keyring::open_available(written(*ring), config);
    EXPECT_FALSE(some.has(ring->current()));
    EXPECT_FALSE(some.encrypts());
  }
  const Keyring reader = Keyring::open_available(written(*ring), {wrong, right});
  EXPECT_TRUE(reader.has(ring->current()));
}

TEST(Keyring, ADamagedStoredKeyIsSeenAtEveryByte) {
  auto ring = Keyring::open({}, {wrapping("a", 1)});
  ASSERT_TRUE(ring);
  const std::string good = written(*ring).front();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(Keyring::open({bad}, {wrapping("a", 1)})) << "byte " << i;
  }
  for (std::size_t i = 0; i < good.size(); ++i)
    EXPECT_FALSE(Keyring::open({good.substr(0, i)}, {wrapping("a", 1)}));
}

TEST(Keyring, ASalvageGoesOnWithTheKeysThatAreWhole) {
  const WrappingKey wrapping_key = wrapping("a", 1);
  auto ring = Keyring::open({}, {wrapping_key});
  ASSERT_TRUE(ring);
  const Sealed s = seal(*ring, "h", "kept");
  std::string damaged = written(*ring).front();
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  std::vector<std::string> stored{damaged, written(*ring).front()};
  const auto whole = Keyring::open_whole(stored, {wrapping_key});
  ASSERT_TRUE(whole);
  EXPECT_EQ(stored, std::vector{written(*ring).front()});
  EXPECT_EQ(open(*whole, "h", s).value(), "kept");
  EXPECT_EQ(Keyring::open_whole(stored, {wrapping("b", 50)}).error().code, ErrorCode::kAuth);
}

TEST(Keyring, ValuesBelongToTheirKey) {
  auto ring = Keyring::open({}, {wrapping("a", 1)});
  ASSERT_TRUE(ring);
  const std::string stored = ring->seal_value("file 1", "/var/log/secret-name.log").value();
  EXPECT_THAT(stored, Not(HasSubstr("secret")));
  EXPECT_EQ(ring->open_value("file 1", stored).value(), "/var/log/secret-name.log");
  EXPECT_EQ(ring->open_value("file 2", stored).error().code, ErrorCode::kCorrupt);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    EXPECT_FALSE(ring->open_value("file 1", stored.substr(0, i)));
    std::string bad = stored;
    bad[i] = static_cast<char>(bad[i] ^ 2);
    EXPECT_FALSE(ring->open_value("file 1", bad)) << "byte " << i;
  }
  EXPECT_EQ(ring->open_value("e", ring->seal_value("e", "").value()).value(), "");
}

TEST(WrappingKeys, AreReadInThreeForms) {
  std::string raw(32, '\0');
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<char>(7 * i);
  const std::string hex = to_hex(raw);
  const std::string base64 = "AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK+2vcTL0tk=";
  for (const std::string& content :
       {raw, hex, hex + "\n", "  " + hex + "\r\n", base64, base64 + "\n"}) {
    const auto key = parse_wrapping_key("k", content);
    ASSERT_TRUE(key) << content.size();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(key->bytes.data()), 32), raw);
    EXPECT_EQ(key->name, "k");
  }
  const std::string made = make_wrapping_key().value();
  EXPECT_TRUE(parse_wrapping_key("made", made));
  EXPECT_NE(made, make_wrapping_key().value());
}

TEST(WrappingKeys, WhatIsNoKeyIsRefusedWithoutShowingIt) {
  const std::vector<std::string> bad = {
      "",
      "\n",
      "correct horse battery staple",
      std::string(64, 'g'),
      std::string(63, 'a'),
      "0123456789abcdef0123456789abcdef",  // 32 digits: 16 bytes as text
      std::string(32, '\0'),
      std::string(64, '0'),
      std::string(44, '!'),
      std::string(33, '\x91')};
  for (const std::string& content : bad) {
    const auto key = parse_wrapping_key("/etc/k", content);
    ASSERT_FALSE(key) << content;
    EXPECT_EQ(key.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(key.error().message, HasSubstr("/etc/k"));
    if (content.size() > 8) {
      EXPECT_THAT(key.error().message, Not(HasSubstr(content)));
    }
  }
}

}  // namespace
}  // namespace edgehose
