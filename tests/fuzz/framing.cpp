// Bytes to records: whatever the pieces are that they come in, the lines are those of the whole,
// cut at the limit; positions follow each other; a framer that begins in the middle goes on alike.
#include "agent/base/crc32c.h"
#include "agent/sources/framer.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

struct Expected {
  std::string body;
  std::uint64_t begin, end;
  bool truncated;
};

std::vector<Expected> lines_of(std::string_view text, std::uint64_t limit) {
  std::vector<Expected> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t lf = text.find('\n', at);
    if (lf == std::string_view::npos) break;
    const std::string_view body = text.substr(at, lf - at);
    lines.push_back({std::string(body.substr(0, limit)), at, lf + 1, body.size() > limit});
    at = lf + 1;
  }
  return lines;
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  const std::uint64_t limit = 1 + input.byte() % 32;
  std::vector<std::size_t> pieces;
  for (unsigned n = input.byte() % 8; n > 0; --n) pieces.push_back(input.byte() % 64);
  const bool restarts = input.byte() % 2 == 1;
  const std::string_view text = input.rest();
  const std::vector<Expected> expected = lines_of(text, limit);

  std::size_t seen = 0;
  const auto emit = [&](const Line& line) {
    require(seen < expected.size(), "a line too many");
    const Expected& e = expected[seen++];
    require(line.body == e.body && line.begin == e.begin && line.end == e.end &&
                line.truncated == e.truncated,
            "line {} is another one", seen);
    return true;
  };
  Framer framer(limit);
  std::size_t at = 0, piece = 0;
  while (at < text.size()) {
    std::size_t size = pieces.empty() ? text.size() : pieces[piece++ % pieces.size()] + 1;
    size = std::min(size, text.size() - at);
    require(framer.feed(text.substr(at, size), emit) == size, "not all was taken");
    at += size;
    const LinePosition position = framer.position();
    require(position.scanned == at && position.begin <= at, "the position is off");
    require(position.crc == crc32c(0, text.substr(0, position.begin)), "the CRC is another one");
    if (!restarts) continue;
    framer = Framer(limit);
    framer.start(position, text.substr(position.begin, std::min(at - position.begin, limit)));
  }
  require(seen == expected.size(), "{} lines of {}", seen, expected.size());
}

std::vector<std::string> seeds() {
  return {std::string("\x05\x02\x03\x01\x01short\nlonger than five\n\n\xff\0end\nrest", 45),
          std::string("\x1f\x00\x00one\ntwo\r\n", 13)};
}

}  // namespace edgehose::fuzz
