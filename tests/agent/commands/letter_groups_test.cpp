#include "agent/commands/letter_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kOneSecond = 1'000'000'000;

DeadLetter letter(std::uint64_t id, std::string reason) {
  DeadLetter letter;
  letter.id = id;
  letter.given_up = WallTime((1'700'000'000 + static_cast<std::int64_t>(id)) * kOneSecond);
  letter.body = std::string(99, 'x');
  letter.reason = std::move(reason);
  return letter;
}

TEST(LetterGroups, AreBySinkAndReasonTheLargestFirst) {
  LetterGroups groups;
  groups.add("search", letter(1, "400 mapping failed in index a1b2c3"));
  groups.add("search", letter(2, "413 too large"));
  groups.add("search", letter(3, "400 mapping failed in index d4e5f6"));
  groups.add("other", letter(4, "413 too large"));
  EXPECT_EQ(groups.text(),
            " LETTERS  SINK                 SIZE  OLDEST                NEWEST\n"
            "       2  search              200 B  2023-11-14T22:13:21Z  2023-11-14T22:13:23Z\n"
            "          400 mapping failed in index d4e5f6\n"
            "          edgehose dead-letters show 3\n"
            "       1  other               100 B  2023-11-14T22:13:24Z  2023-11-14T22:13:24Z\n"
            "          413 too large\n"
            "          edgehose dead-letters show 4\n"
            "       1  search              100 B  2023-11-14T22:13:22Z  2023-11-14T22:13:22Z\n"
            "          413 too large\n"
            "          edgehose dead-letters show 2\n");
}

TEST(LetterGroups, AnotherStatusIsAnotherReason) {
  LetterGroups groups;
  groups.add("s", letter(1, "answers 400"));
  groups.add("s", letter(2, "answers 404"));
  EXPECT_THAT(groups.text(), HasSubstr("answers 400"));
  EXPECT_THAT(groups.text(), HasSubstr("answers 404"));
}

TEST(LetterGroups, AreBounded) {
  LetterGroups groups;
  EXPECT_THAT(groups.text(), EndsWith("\nnone\n"));
  for (std::size_t i = 0; i < LetterGroups::kMaxGroups + 7; ++i)
    groups.add("s", letter(i + 1, std::string(i + 1, 'a')));
  EXPECT_THAT(groups.text(), HasSubstr("       7  for other reasons: see --all\n"));
  EXPECT_THAT(groups.text(), HasSubstr("show 50\n"));
  EXPECT_THAT(groups.text(), Not(HasSubstr("show 51\n")));
}

}  // namespace
}  // namespace edgehose
