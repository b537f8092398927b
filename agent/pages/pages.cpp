#include "agent/pages/pages.h"

#include "agent/commands/table.h"
#include "agent/pages/completion.h"
#include "agent/run/registry.h"

namespace edgehose {

std::vector<Page> pages() {
  const ConfigSchema schema = make_schema();
  std::vector<Page> all = command_pages(commands(), global_options());
  all.push_back(config_page(schema));
  const Completion completion = completion_of(commands(), global_options(), schema);
  all.push_back(bash_completion(completion));
  all.push_back(zsh_completion(completion));
  all.push_back(fish_completion(completion));
  return all;
}

}  // namespace edgehose
