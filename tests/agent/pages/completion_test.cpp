#include "agent/pages/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "agent/commands/table.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Offered offered() { return offered_by(commands(), global_options(), make_schema()); }

// Of a new kind of value somebody has to say what completes it, or that nothing does.
TEST(Completion, EachKindOfValueIsKnown) {
  const std::set<std::string_view> nothing = {"", "DURATION", "N", "VERSION"};
  for (const Command& command : commands())
    for (const Option& option : command.options)
      if (wanted_by(option) == Wanted::kAnything) {
        EXPECT_TRUE(nothing.contains(option.argument))
            << command.name << " --" << option.name << " " << option.argument;
      }
}

TEST(Completion, KeysAreThoseOfTheDeclarations) {
  const Offered all = offered();
  EXPECT_THAT(all.levels, ElementsAre("trace", "debug", "info", "warn", "error", "off"));
  EXPECT_THAT(all.keys, AllOf(Contains("agent.data_dir"), Contains("buffer.max_size"),
                              Contains("agent.labels.")));
  EXPECT_THAT(all.source_keys, AllOf(Contains("type"), Contains("paths")));
  EXPECT_THAT(all.sink_keys, AllOf(Contains("batch.max_size"), Contains("tls.ca_file"),
                                   Contains("inputs"), Not(Contains("batch"))));
}

TEST(Completion, AShellHasEachCommandAndOption) {
  const Offered all = offered();
  for (const Page& page : {bash_completion(all), zsh_completion(all), fish_completion(all)})
    for (const Command& command : commands()) {
      EXPECT_THAT(page.text, HasSubstr(second_word(command))) << page.path;
      for (const Option& option : command.options)
        EXPECT_THAT(page.text, HasSubstr(option.name)) << page.path << ": " << command.name;
    }
}

}  // namespace
}  // namespace edgehose
