#include "agent/base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace edgehose {
namespace {

TEST(Bytes, FixedIntegersBothWays) {
  std::string out;
  put_le<std::uint32_t>(out, 0x01020304);
  put_be<std::uint64_t>(out, 0x0102030405060708);
  put_le<std::int64_t>(out, -2);
  EXPECT_EQ(out.substr(0, 12), std::string("\x04\x03\x02\x01\x01\x02\x03\x04\x05\x06\x07\x08", 12));
  ByteReader in(out);
  EXPECT_EQ(in.le<std::uint32_t>(), 0x01020304u);
  EXPECT_EQ(in.be<std::uint64_t>(), 0x0102030405060708u);
  EXPECT_EQ(in.le<std::int64_t>(), -2);
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(Bytes, VarintsRoundTripAtTheirEdges) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16383},
        std::uint64_t{16384}, std::numeric_limits<std::uint64_t>::max()}) {
    std::string out;
    put_varint(out, value);
    ByteReader in(out);
    EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.ok() && in.at_end());
  }
}

TEST(Bytes, ZigzagKeepsSmallNumbersSmall) {
  EXPECT_EQ(zigzag(0), 0u);
  EXPECT_EQ(zigzag(-1), 1u);
  EXPECT_EQ(zigzag(1), 2u);
  for (const std::int64_t v : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-77},
                               std::numeric_limits<std::int64_t>::max()})
    EXPECT_EQ(unzigzag(zigzag(v)), v);
}

TEST(Bytes, AReaderThatRanOutStaysBad) {
  ByteReader in(
      std::string_view("\x05"
                       "abc",
                       4));
  EXPECT_EQ(in.string(), "");
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.le<std::uint8_t>(), 0);
  EXPECT_FALSE(in.ok());
}

TEST(Bytes, AnEndlessVarintIsBad) {
  ByteReader in(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11));
  in.varint();
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace edgehose
