// Pages made from the declared fields: the reference, an example, the effective config.
// Stable: the same schema gives the same bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/load.h"
#include "agent/config/schema.h"

namespace edgehose {

// Where the config lies and how values are written: Markdown of paragraphs and "- **term**: ...".
extern const std::string_view kAboutValues;
// Of a key, as Markdown: its type with its range; its default, or what unset means.
std::string type_and_bounds(const config::Field& field);
std::string what_unset_means(const config::Field& field, const void* defaults);

std::string reference_page(const ConfigSchema& schema);  // Markdown
std::string example_config(const ConfigSchema& schema);  // TOML that loads, defaults as comments

// "sinks.archive.path = "/mnt/logs"   # edgehose.toml:17:15", a line each, aligned; the place on a
// line of its own where 80 columns do not hold both. Files go by their name: tell their paths.
std::string effective_config(const std::vector<Setting>& settings);

}  // namespace edgehose
