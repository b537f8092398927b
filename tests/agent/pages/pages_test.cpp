#include "agent/pages/pages.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/commands/table.h"
#include "agent/pages/roff.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string page(std::string_view path) {
  for (const Page& page : pages())
    if (page.path == path) return page.text;
  return fmt::format("there is no {}", path);
}

TEST(CommandPages, EachCommandHasItsPageWithEveryOption) {
  for (const Command& command : commands()) {
    std::string name(command.name);
    std::replace(name.begin(), name.end(), ' ', '-');
    const std::string text = page(fmt::format("man/man1/edgehose-{}.1", name));
    EXPECT_THAT(text, AllOf(HasSubstr(roff(command.summary)), HasSubstr(".SH EXIT STATUS\n")));
    for (const auto* options : {&command.options, &global_options()})
      for (const Option& option : *options)
        EXPECT_THAT(text, HasSubstr(roff(fmt::format("--{}", option.name)) + "\\fR")) << name;
    EXPECT_THAT(page("man/man1/edgehose.1"),
                HasSubstr(fmt::format("\\fBedgehose {}\\fR", roff(command.name))));
  }
}

// A code's second line goes on where the first one ended.
TEST(CommandPages, ExitCodesKeepTheirMeaning) {
  EXPECT_THAT(page("man/man1/edgehose-run.1"),
              HasSubstr(".TP\n\\fB2\\fR\nthe command line or the config is wrong\n"));
}

TEST(ConfigPage, HasEachKeyOfEachType) {
  const std::string text = page("man/man5/edgehose.toml.5");
  for (const char* key : {"data_dir", "max_size", "paths", "batch.max_raw_size", "bucket", "ack"})
    EXPECT_THAT(text, HasSubstr(fmt::format("\\fB{}\\fR", key)));
  const ConfigSchema schema = make_schema();
  for (const ComponentType& type : schema.sinks())
    EXPECT_THAT(text, HasSubstr(fmt::format("type = \\(dq{}\\(dq", type.name)));
  EXPECT_THAT(text, HasSubstr(".TP\n\\fBsize\\fR\n\\fB\\(dq8MiB\\(dq\\fR"));
}

TEST(Pages, AreStable) {
  const auto once = pages(), again = pages();
  ASSERT_EQ(once.size(), again.size());
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(once[i].text, again[i].text);
}

}  // namespace
}  // namespace edgehose
