#include "agent/base/stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace edgehose {
namespace {

// Pieces as given; one that is "!" fails.
class Pieces final : public PieceStream {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::size_t refills = 0;

 private:
  Status refill() override {
    ready_ = pieces_.at(refills++);
    ended_ = refills == pieces_.size();
    if (ready_ == "!") return fail(ErrorCode::kIo, "broken");
    return {};
  }
  std::vector<std::string> pieces_;
};

std::string read(PieceStream& stream, std::size_t size) {
  std::string out(size, '\0');
  const auto n = stream.read(out.data(), size);
  return n ? out.substr(0, *n) : n.error().message;
}

TEST(PieceStream, HandsOutPiecesAsAskedForAndEndsForGood) {
  Pieces stream({"abc", "", "de"});
  EXPECT_EQ(read(stream, 2), "ab");
  EXPECT_EQ(read(stream, 2), "c");
  EXPECT_EQ(read(stream, 9), "de") << "an empty piece is not the end";
  EXPECT_EQ(read(stream, 9), "");
  EXPECT_EQ(read(stream, 9), "");
  EXPECT_EQ(stream.refills, 3u);
}

TEST(PieceStream, MakesNothingBeforeItIsAskedFor) {
  Pieces stream({"!"});
  EXPECT_EQ(read(stream, 0), "");
  EXPECT_EQ(stream.refills, 0u);
}

TEST(PieceStream, StaysFailed) {
  Pieces stream({"a", "!", "b"});
  EXPECT_EQ(read(stream, 9), "a");
  EXPECT_EQ(read(stream, 9), "broken");
  EXPECT_EQ(read(stream, 9), "broken");
  EXPECT_EQ(stream.refills, 2u);
}

}  // namespace
}  // namespace edgehose
