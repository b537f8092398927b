#include "agent/commands/demo_log.h"

#include "tests/agent/commands/demo_fixture.h"

namespace edgehose {
namespace {

using namespace std::chrono_literals;

TEST_F(DemoTest, TheLogHasWhatIsDue) {
  auto log = DemoLog::begin({directory_, 100, 10.0, 1000, line_});
  ASSERT_TRUE(log) << log.error().message;
  ASSERT_TRUE(log->write_due(0s));
  EXPECT_EQ(log->lines(), 0u);
  ASSERT_TRUE(log->write_due(300ms));
  EXPECT_EQ(log->lines(), 3u);
  EXPECT_EQ(read("app.log"), line(0) + line(1) + line(2));
  EXPECT_FALSE(log->done());
  ASSERT_TRUE(log->write_due(1h));
  EXPECT_EQ(log->lines(), 100u) << "and not more";
  EXPECT_TRUE(log->done());
  EXPECT_EQ(log->bytes(), fs::file_size(directory_ + "/app.log"));
}

TEST_F(DemoTest, TheLogIsRotatedAsLogrotateDoesIt) {
  auto log = DemoLog::begin({directory_, 5, 1000.0, 2, line_});
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->write_due(1s));
  EXPECT_EQ(read("app.log"), line(4));
  EXPECT_EQ(read("app.log.1"), line(2) + line(3));
  EXPECT_EQ(read("app.log.2"), line(0) + line(1));
  EXPECT_FALSE(fs::exists(directory_ + "/app.log.3"));
}

TEST_F(DemoTest, MuchThatIsDueIsWrittenInSlices) {
  auto log = DemoLog::begin({directory_, 100'000, 1000.0, 100'000, line_});
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->write_due(100s));
  EXPECT_GT(log->lines(), 0u);
  EXPECT_LT(log->lines(), 10'000u);
}

TEST_F(DemoTest, ALogThatCannotBeWrittenIsAnError) {
  EXPECT_FALSE(DemoLog::begin({directory_ + "/none", 5, 1.0, 2, line_}));
}

}  // namespace
}  // namespace edgehose
