#include "agent/base/base64.h"

#include <gtest/gtest.h>

#include <random>

namespace edgehose {
namespace {

std::string random_bytes(std::size_t size, std::mt19937& random) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Base64, RoundTripsAndRefusesOtherSpellings) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = random_bytes(size, random);
    for (const bool padded : {false, true})
      EXPECT_EQ(decode_base64(encode_base64(bytes, padded), padded), bytes);
  }
  EXPECT_EQ(encode_base64("f", true), "Zg==");
  EXPECT_EQ(encode_base64("fo", false), "Zm8");
  for (const char* wrong : {"Zg==", "Zh", "Z", "Zm9v=", "Zm 9", "Zm9vZ"})
    EXPECT_FALSE(decode_base64(wrong, false)) << wrong;
  for (const char* wrong : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg=="})
    EXPECT_FALSE(decode_base64(wrong, true)) << wrong;
}

}  // namespace
}  // namespace edgehose
