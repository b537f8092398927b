// Few file descriptors, as the user of a small device meets them.
#include "tests/agent/commands/cli_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(CliTest, SixtyFourDescriptorsAreEnoughForManyFiles) {
  write_config();
  for (int i = 0; i < 600; ++i) write("in/f" + std::to_string(i) + ".log", "one\n");
  const Outcome check = run("check --config c.toml", "ulimit -n 64;");
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.err, HasSubstr("not 64 (max_open_files): raise the limit to "));
  const Outcome once = run("run --once --timeout 60s --config c.toml", "ulimit -n 64;");
  EXPECT_EQ(once.code, 0) << once.err;
  EXPECT_THAT(once.err, HasSubstr("delivered 600 records"));
  EXPECT_THAT(once.err, Not(HasSubstr("Too many open files")));
}

TEST_F(CliTest, AConfigThatDoesNotFitItsDescriptorsIsRefused) {
  write_config();
  write("in/a.log", "one\n");
  for (const std::string command : {"check", "run --once"}) {
    const Outcome outcome = run(command + " --config c.toml", "ulimit -n 30;");
    EXPECT_EQ(outcome.code, 1) << command;
    EXPECT_THAT(outcome.err, HasSubstr("30 file descriptors are too few")) << command;
  }
}

}  // namespace
}  // namespace edgehose
