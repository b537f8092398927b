// The fields that a document has beside what the record itself says: who sends it (ECS: agent.id,
// host.name, event.dataset, labels) and the config's own. Most of them are the same for all of a
// batch, and are written once.
//
// ECS: https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html
//
// Threading: const after construction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/record.h"
#include "sinks/events/event_context.h"

namespace edgehose {

// What is wrong with the name of one of the config's fields; or nothing.
std::string not_a_field(const std::string& name);

class DocumentFields {
 public:
  DocumentFields(const EventContext& context, const std::string& source);

  // The names at the top of a document that it has already, and what is below them stays its own.
  using Roots = std::uint64_t;
  static constexpr std::size_t kMaxRoots = 64;
  // The one that a key of a document belongs to: "host" of "host" and "host.name"; 0: none.
  Roots root_of(std::string_view key) const;

  // Appends members of the document but those below `taken`, each with a ',' in front.
  void append(const Record& record, std::string_view file, Roots taken, std::string& out) const;

 private:
  enum : std::size_t { kEvent, kLog, kLabels };  // what each record adds to; others follow
  struct Root {
    std::string name;
    std::string members;  // those that are the same for all, without braces
  };

  void append_log(const Record& record, std::string_view file, std::string& out) const;
  void append_labels(const Record& record, std::string& out) const;

  std::vector<Root> roots_;
  std::map<std::string, std::string> labels_;  // as in roots_[kLabels]: name, and its JSON
};

}  // namespace edgehose
