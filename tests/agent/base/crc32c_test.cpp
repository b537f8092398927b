#include "agent/base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace edgehose {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(0, "123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(0, std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(0, std::string(32, '\xFF')), 0x62A8AB43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising.push_back(c);
  EXPECT_EQ(crc32c(0, rising), 0x46DD794Eu);
  EXPECT_EQ(crc32c(0, ""), 0u);
}

TEST(Crc32c, InstructionsAndTablesAgreeAndPiecesJoin) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(random() % (round % 4 == 0 ? 20'000 : 300), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::uint32_t whole = crc32c(0, bytes);
    EXPECT_EQ(whole, crc32c_portable(0, bytes));
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    EXPECT_EQ(whole, crc32c(crc32c(0, bytes.substr(0, cut)), bytes.substr(cut)));
  }
}

}  // namespace
}  // namespace edgehose
