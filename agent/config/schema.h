// The types of sources and sinks that a config may name, each with its fields. Filled in one place
// (agent/run/registry.h) and passed to whoever needs it; nothing registers itself.
//
// Threading: plain values, built at start.
#pragma once

#include <any>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/field.h"

namespace edgehose {

// One `type = "..."` of a source or sink.
struct ComponentType {
  std::string name;  // "file"
  std::string help;  // one sentence
  std::vector<config::Field> fields;
  std::vector<config::Rule> rules;
  std::function<std::any()> make;              // a default-constructed config
  std::function<void*(std::any&)> address_of;  // of the config inside
};

class ConfigSchema {
 public:
  template <class C>
  ConfigSchema& source(std::string name, std::string help, config::Fields<C> fields) {
    sources_.push_back(type(std::move(name), std::move(help), std::move(fields)));
    return *this;
  }
  template <class C>
  ConfigSchema& sink(std::string name, std::string help, config::Fields<C> fields) {
    sinks_.push_back(type(std::move(name), std::move(help), std::move(fields)));
    return *this;
  }

  const std::vector<ComponentType>& sources() const { return sources_; }
  const std::vector<ComponentType>& sinks() const { return sinks_; }

 private:
  template <class C>
  static ComponentType type(std::string name, std::string help, config::Fields<C> fields) {
    return {std::move(name),
            std::move(help),
            std::move(fields.fields),
            std::move(fields.rules),
            [] { return std::any(C{}); },
            [](std::any& a) -> void* { return std::any_cast<C>(&a); }};
  }

  std::vector<ComponentType> sources_;
  std::vector<ComponentType> sinks_;
};

}  // namespace edgehose
