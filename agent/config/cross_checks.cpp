#include "agent/config/cross_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

namespace edgehose::config {
namespace {

bool service_has(const ServiceGrants& service, const SecretRef& secret) {
  if (secret.kind == SecretRef::Kind::kEnv) return service.variables.contains(secret.where);
  return secret.kind == SecretRef::Kind::kCredential &&
         std::ranges::find(service.credentials, secret.where) != service.credentials.end();
}

}  // namespace

void check_inputs(const Table& merged, const std::vector<Reader::SharedList>& lists,
                  Diagnostics& problems) {
  std::vector<std::string> names;
  const Entry* sources = find(merged, "sources");
  if (sources != nullptr && sources->value.as<Table>() != nullptr)
    for (const Entry& entry : *sources->value.as<Table>()) names.push_back(entry.key);
  for (const Reader::SharedList& list : lists) {
    const auto* items = list.field->names_sources ? list.value->as<List>() : nullptr;
    if (items == nullptr) continue;
    for (const Value& item : *items) {
      const auto* name = item.as<std::string>();
      if (name == nullptr || std::find(names.begin(), names.end(), *name) != names.end()) continue;
      problems.error(item.origin, fmt::format("{}: no source is named {}{}", list.field->key,
                                              quote(*name), suggestion(*name, names, "sources")));
    }
  }
}

void check_repeated_paths(const std::vector<Reader::SharedList>& lists, Diagnostics& problems) {
  std::map<std::string, std::string> owner;
  for (const Reader::SharedList& list : lists) {
    const auto* items = list.table.starts_with("sources.") ? list.value->as<List>() : nullptr;
    if (items == nullptr) continue;
    for (const Value& item : *items) {
      const auto* text = item.as<std::string>();
      if (text == nullptr) continue;
      const auto [found, first] = owner.try_emplace(*text, list.table);
      if (first || found->second == list.table) continue;
      problems.warn(item.origin,
                    fmt::format("{}: {} is read by [{}] alone: a file belongs to one source",
                                list.field->key, quote(*text), found->second));
    }
  }
}

void try_secrets(const std::vector<Reader::SecretUse>& uses, const ServiceGrants& service,
                 Diagnostics& problems) {
  for (const Reader::SecretUse& use : uses) {
    if (const auto secret = use.secret.read(); !secret && service_has(service, use.secret))
      problems.warn(use.origin,
                    fmt::format("{}: the unit gives {} to the service alone: it is not tried here",
                                use.key, use.secret.text()));
    else if (!secret)
      problems.error(use.origin, fmt::format("{}: {}", use.key, secret.error().message));
    else if (const auto exposure = use.secret.exposure(); exposure && !use.for_all_to_see)
      problems.warn(use.origin, fmt::format("{}: {}", use.key, *exposure));
  }
}

}  // namespace edgehose::config
