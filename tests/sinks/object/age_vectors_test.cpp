// The official test vectors of the age format, each a test of its own.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <map>

#include "agent/base/text.h"
#include "sinks/object/age/decryptor.h"
#include "tests/sinks/need_vectors.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using test::read_whole;

struct Vector {
  std::multimap<std::string, std::string> keys;
  std::string file;

  std::string get(const std::string& key) const {
    const auto found = keys.find(key);
    return found == keys.end() ? "" : found->second;
  }
};

std::string inflate_all(const std::string& compressed) {
  std::string out(64 << 20, '\0');
  uLongf size = out.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                       reinterpret_cast<const Bytef*>(compressed.data()), compressed.size()),
            Z_OK);
  out.resize(size);
  return out;
}

Vector load(const std::string& path) {
  Vector vector;
  const std::string all = read_whole(path);
  std::size_t at = 0;
  while (all[at] != '\n') {
    const std::size_t end = all.find('\n', at);
    const std::string line = all.substr(at, end - at);
    const std::size_t colon = line.find(": ");
    vector.keys.emplace(line.substr(0, colon), line.substr(colon + 2));
    at = end + 1;
  }
  vector.file = all.substr(at + 1);
  if (vector.get("compressed") == "zlib") vector.file = inflate_all(vector.file);
  return vector;
}

std::string sha256_hex(const std::string& bytes) {
  unsigned char digest[32];
  EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr);
  return to_hex(std::string_view(reinterpret_cast<char*>(digest), sizeof digest));
}

std::string outcome(const AgeDecryptor& decryptor, bool failed) {
  if (!failed) return "success";
  if (!decryptor.failure()) return "an error of the input";
  switch (*decryptor.failure()) {
    case AgeFailure::kArmor: return "armor failure";
    case AgeFailure::kHeader: return "header failure";
    case AgeFailure::kNoMatch: return "no match";
    case AgeFailure::kHmac: return "HMAC failure";
    case AgeFailure::kPayload: return "payload failure";
  }
  return "";
}

// Why a vector's exact outcome is not ours to give: it needs a kind of key that edgehose has not.
std::string not_supported(const Vector& vector) {
  if (vector.keys.contains("passphrase")) return "scrypt passphrases are not supported";
  for (const auto& [key, value] : vector.keys)
    if (key == "identity" && value.starts_with("AGE-SECRET-KEY-PQ-"))
      return "hybrid post-quantum identities are not supported";
  return "";
}

class AgeVectors : public testing::TestWithParam<std::string> {};

TEST_P(AgeVectors, Outcome) {
  const Vector vector = load(std::string(EDGEHOSE_VECTORS_DIR "/age/testdata/") + GetParam());
  std::vector<AgeIdentity> identities;
  for (const auto& [key, value] : vector.keys)
    if (key == "identity")
      if (auto identity = AgeIdentity::parse(value)) identities.push_back(*identity);

  // Input in odd pieces, output in odd pieces: neither may matter.
  AgeDecryptor decryptor(test::stream(vector.file, 1021), identities,
                         vector.get("armored") == "yes" ? AgeForm::kArmored : AgeForm::kDetect);
  const test::Drained plain = test::drain(decryptor, 4099);
  const std::string got = outcome(decryptor, plain.error.has_value());
  const std::string expected = vector.get("expect");
  if (const std::string reason = not_supported(vector); !reason.empty() && got != expected) {
    // Even so nothing is ever let through, and the refusal is one of the documented ones.
    EXPECT_NE(got, "success");
    EXPECT_EQ(got, "no match");
    GTEST_SKIP() << GetParam() << ": " << reason;
  }
  EXPECT_EQ(got, expected) << (plain.error ? plain.error->message : "") << "\n"
                           << vector.get("comment");
  if (const std::string payload = vector.get("payload"); !payload.empty()) {
    EXPECT_EQ(sha256_hex(plain.bytes), payload);
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  const char* const directory = EDGEHOSE_VECTORS_DIR "/age/testdata";
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none))
    all.push_back(entry.path().filename());
  std::sort(all.begin(), all.end());
  return all;
}

TEST(AgeVectorSet, IsComplete) {
  EDGEHOSE_NEED_VECTORS();
  EXPECT_EQ(names().size(), 143u);
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgeVectors);

INSTANTIATE_TEST_SUITE_P(Official, AgeVectors, testing::ValuesIn(names()),
                         [](const auto& vector) { return vector.param; });

}  // namespace
}  // namespace edgehose
