#include "agent/sources/framer.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

struct Out {
  std::string body;
  std::uint64_t begin, end;
  bool truncated, partial;
  bool operator==(const Out&) const = default;
};

// What framing means, written the slow way.
std::vector<Out> reference(const std::string& content, std::uint64_t max) {
  std::vector<Out> out;
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] != '\n') continue;
    const std::string line = content.substr(begin, i - begin);
    out.push_back({line.substr(0, max), begin, i + 1, line.size() > max, false});
    begin = i + 1;
  }
  return out;
}

auto collect(std::vector<Out>& out, std::size_t stop_after = SIZE_MAX) {
  return [&out, stop_after](const Line& l) {
    out.push_back({std::string(l.body), l.begin, l.end, l.truncated, l.partial});
    return out.size() % stop_after != 0;
  };
}

// Takes any number of whole lines at once, as a sink may.
auto take_at_once(std::vector<Out>& out, std::uint64_t max, std::mt19937& random) {
  return [&out, &random, max](std::string_view bytes, std::uint64_t begin) {
    Framer::TakenAtOnce taken;
    while (random() % 4 != 0) {
      const std::string_view rest = bytes.substr(taken.bytes);
      const std::size_t lf = rest.find('\n');
      if (lf == std::string_view::npos || lf > max) break;
      const std::uint64_t at = begin + taken.bytes;
      out.push_back({std::string(rest.substr(0, lf)), at, at + lf + 1, false, false});
      taken.bytes += lf + 1;
    }
    taken.stop = random() % 4 == 0;
    return taken;
  };
}

void expect_crcs(const LinePosition& at, std::string_view content) {
  EXPECT_EQ(at.crc, crc32c(0, content.substr(0, at.begin)));
  EXPECT_EQ(at.scanned_crc, crc32c(0, content.substr(0, at.scanned)));
}

std::string random_content(std::mt19937& random) {
  std::string content;
  const int lines = static_cast<int>(random() % 20);
  for (int i = 0; i < lines; ++i) {
    content += std::string(random() % (random() % 4 == 0 ? 60 : 8),
                           static_cast<char>('a' + random() % 26));
    content += '\n';
  }
  return content + std::string(random() % 12, '\r');
}

TEST(Framer, AnySplitAnyLimitAnyStopGivesTheSame) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const std::string content = random_content(random);
    const std::uint64_t max = 1 + random() % 20;
    const std::size_t stop = random() % 3 == 0 ? 1 + random() % 3 : SIZE_MAX;
    std::vector<Out> out;
    Framer framer(max);
    framer.start({}, {});
    while (framer.position().scanned < content.size()) {
      const std::uint64_t at = framer.position().scanned;
      framer.feed(std::string_view(content).substr(at, 1 + random() % 10), collect(out, stop));
      const LinePosition position = framer.position();
      expect_crcs(position, content);
      if (random() % 4 == 0) {  // between two visits only the position is kept
        const auto held = std::min(position.scanned - position.begin, max);
        framer.start(position, std::string_view(content).substr(position.begin, held));
      }
    }
    ASSERT_EQ(out, reference(content, max)) << "round " << round;
    const LinePosition last = framer.position();
    framer.flush(collect(out));
    if (last.unfinished()) {
      EXPECT_TRUE(out.back().partial);
      EXPECT_EQ(out.back().body, content.substr(last.begin).substr(0, max));
      EXPECT_EQ(out.back().end, content.size());
    }
    EXPECT_FALSE(framer.position().unfinished());
    expect_crcs(framer.position(), content);
  }
}

TEST(Framer, LinesTakenAtOnceAreTheSameLines) {
  std::mt19937 random(8);
  for (int round = 0; round < 3000; ++round) {
    const std::string content = random_content(random);
    const std::uint64_t max = 1 + random() % 20;
    std::vector<Out> out;
    Framer framer(max);
    framer.start({}, {});
    while (framer.position().scanned < content.size()) {
      const std::uint64_t at = framer.position().scanned;
      framer.feed(std::string_view(content).substr(at, 1 + random() % 40), collect(out),
                  take_at_once(out, max, random));
      expect_crcs(framer.position(), content);
    }
    ASSERT_EQ(out, reference(content, max)) << "round " << round;
  }
}

TEST(Framer, ALimitIsReachedNotPassed) {
  std::vector<Out> out;
  Framer framer(4);
  framer.start({}, {});
  framer.feed("1234\n12345\n", collect(out));
  ASSERT_EQ(out.size(), 2u);
  EXPECT_FALSE(out[0].truncated);
  EXPECT_TRUE(out[1].truncated);
  EXPECT_EQ(out[1].body, "1234");
}

TEST(Framer, PassedOverBytesCountAsTheLineTheyAre) {
  LinePosition at{10, 12, crc32c(0, "0123456789"), crc32c(0, "0123456789ab")};
  pass_over(at, "cdef");
  EXPECT_EQ(at.begin, 10u);
  EXPECT_EQ(at.scanned, 16u);
  EXPECT_EQ(at.scanned_crc, crc32c(0, "0123456789abcdef"));
}

}  // namespace
}  // namespace edgehose
