#include "agent/pages/pages.h"

#include "agent/commands/table.h"
#include "agent/pages/completion.h"
#include "agent/run/registry.h"

namespace edgehose {

std::vector<Page> pages() {
  const ConfigSchema schema = make_schema();
  std::vector<Page> all = command_pages(commands(), global_options());
  all.push_back(config_page(schema));
  const Offered offered = offered_by(commands(), global_options(), schema);
  all.push_back(bash_completion(offered));
  all.push_back(zsh_completion(offered));
  all.push_back(fish_completion(offered));
  return all;
}

}  // namespace edgehose
