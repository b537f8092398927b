#include "agent/base/log.h"

#include <gmock/gmock.h>

#include "agent/base/log_event.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

TEST(Log, AFloodSwallowsNeitherErrorsNorEventsAndIsToldAtTheEnd) {
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3 * log::kLinesPerMinute; ++i) log::warn("flood");
  log::error("sink archive: parked");
  log::event(log::Level::kInfo, "stopped");
  log::tell_left_out();
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_LE(count(text, "flood"), log::kLinesPerMinute) << "half, and a minute may begin meanwhile";
  EXPECT_THAT(text, HasSubstr("error sink archive: parked"));
  EXPECT_THAT(text, HasSubstr("info  stopped"));
  EXPECT_THAT(text, HasSubstr("lines were left out"));
}

TEST(Log, AFileNameEndsNoLineAndBeginsNone) {
  ::testing::internal::CaptureStderr();
  log::event(log::Level::kWarn, "{} cannot be read", "a\n<2>all is well\033[1A.log");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("a?<2>all is well?[1A.log cannot be read"));
  EXPECT_EQ(count(text, "\n"), 1);
}

}  // namespace
}  // namespace edgehose
