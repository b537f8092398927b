// What a table of a source or sink is, where its "type" does not say it: so that its other errors
// are told in the same run.
//
// Threading: pure.
#pragma once

#include <string_view>
#include <vector>

#include "agent/config/schema.h"
#include "agent/config/value.h"

namespace edgehose::config {

// The key that was meant to be "type": no type knows it, and no other key is nearer. Or null.
const Entry* misspelt_type(const Table& table, const std::vector<ComponentType>& types);

// The type of that name, else the nearest one. Or null.
const ComponentType* type_like(std::string_view name, const std::vector<ComponentType>& types);

// The type that a misspelt key names; else the only one that there is; else the only one that has
// keys of the table which no other has. Or null.
const ComponentType* guess_type(const Table& table, const std::vector<ComponentType>& types);

}  // namespace edgehose::config
