// The types of sources and sinks that a config may name, each with its fields. Filled in one place
// (agent/run/registry.h) and passed to whoever needs it; nothing registers itself.
//
// What the fields cannot see of a value (a prefix that does not compile, a key's checksum) the
// type's own `examine` finds; the loader tells it at the key, with all the other errors of the run.
//
// Threading: plain values, built at start.
#pragma once

#include <any>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/config/field.h"

namespace edgehose {

// Something wrong in one source or sink, or (as a warning) probably not meant. No secrets in
// messages.
struct Complaint {
  std::string key;  // "prefix", "encrypt.age"
  std::string message;
  std::size_t item = config::kWholeValue;  // of the list that is the key's value
  bool warning = false;
};
template <class C>
using Examine = std::vector<Complaint> (*)(const C& config, const AgentConfig& agent);

// One `type = "..."` of a source or sink.
struct ComponentType {
  std::string name;  // "file"
  std::string help;  // one sentence
  std::vector<config::Field> fields;
  std::vector<config::Rule> rules;
  std::function<std::any()> make;              // a default-constructed config
  std::function<void*(std::any&)> address_of;  // of the config inside
  // Of a config that may be read in part only: what is wrong has its default. None: no complaints.
  std::function<std::vector<Complaint>(const std::any&, const AgentConfig&)> examine;
};

class ConfigSchema {
 public:
  template <class C>
  ConfigSchema& source(std::string name, std::string help, config::Fields<C> fields,
                       Examine<C> examine = nullptr) {
    sources_.push_back(type(std::move(name), std::move(help), std::move(fields), examine));
    return *this;
  }
  template <class C>
  ConfigSchema& sink(std::string name, std::string help, config::Fields<C> fields,
                     Examine<C> examine = nullptr) {
    sinks_.push_back(type(std::move(name), std::move(help), std::move(fields), examine));
    return *this;
  }

  // What only all of them together show; asked of a config that has no other error.
  using ExamineAll = std::vector<config::Problem> (*)(const Config& config);
  ConfigSchema& whole(ExamineAll examine) {
    examine_all_ = examine;
    return *this;
  }
  std::vector<config::Problem> examine_all(const Config& config) const {
    return examine_all_ != nullptr ? examine_all_(config) : std::vector<config::Problem>{};
  }

  const std::vector<ComponentType>& sources() const { return sources_; }
  const std::vector<ComponentType>& sinks() const { return sinks_; }

 private:
  template <class C>
  static ComponentType type(std::string name, std::string help, config::Fields<C> fields,
                            Examine<C> examine) {
    ComponentType made{std::move(name),
                       std::move(help),
                       std::move(fields.fields),
                       std::move(fields.rules),
                       [] { return std::any(C{}); },
                       [](std::any& a) -> void* { return std::any_cast<C>(&a); },
                       {}};
    if (examine != nullptr)
      made.examine = [examine](const std::any& a, const AgentConfig& agent) {
        return examine(*std::any_cast<C>(&a), agent);
      };
    return made;
  }

  std::vector<ComponentType> sources_;
  std::vector<ComponentType> sinks_;
  ExamineAll examine_all_ = nullptr;
};

}  // namespace edgehose
