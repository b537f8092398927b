#include "agent/config/guess_type.h"

#include <algorithm>
#include <set>

#include "agent/base/text.h"

namespace edgehose::config {
namespace {

bool has_key(const ComponentType& type, std::string_view key) {
  return std::ranges::any_of(
      type.fields, [&](const Field& field) { return field.is_key() && field.key == key; });
}

}  // namespace

const Entry* misspelt_type(const Table& table, const std::vector<ComponentType>& types) {
  std::vector<std::string_view> known{"type"};
  for (const ComponentType& type : types)
    for (const Field& field : type.fields)
      if (field.is_key()) known.push_back(field.key);
  for (const Entry& entry : table)
    if (std::ranges::find(known, entry.key) == known.end() && nearest(entry.key, known) == "type" &&
        entry.value.as<std::string>() != nullptr)
      return &entry;
  return nullptr;
}

const ComponentType* type_like(std::string_view name, const std::vector<ComponentType>& types) {
  std::vector<std::string_view> names;
  for (const ComponentType& type : types) names.push_back(type.name);
  const auto near = nearest(name, names);
  const auto found = std::ranges::find_if(
      types, [&](const ComponentType& type) { return type.name == name || type.name == near; });
  return found == types.end() ? nullptr : &*found;
}

const ComponentType* guess_type(const Table& table, const std::vector<ComponentType>& types) {
  if (const Entry* misspelt = misspelt_type(table, types))
    if (const auto* type = type_like(*misspelt->value.as<std::string>(), types)) return type;
  if (types.size() == 1) return &types[0];
  std::set<const ComponentType*> told;
  for (const Entry& entry : table) {
    std::vector<const ComponentType*> having;
    for (const ComponentType& type : types)
      if (has_key(type, entry.key)) having.push_back(&type);
    if (having.size() == 1) told.insert(having[0]);
  }
  return told.size() == 1 ? *told.begin() : nullptr;
}

}  // namespace edgehose::config
