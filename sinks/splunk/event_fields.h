// EventFields: the indexed fields of an event, beside what its line says: who sent it, labels and
// attributes, the config's own. They are flat, and named as Splunk's fields are.
//
//   "fields":{"agent":"gw-1","site":"north","stream":"ZxNdB_oMd0BetmIm","sequence":4711}
//
// `stream` is 16 characters for agent, buffer and source (events/record_ids.h): with `sequence` it
// tells events apart, so that a search can leave out what was sent twice:  | dedup stream sequence
//
// Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/IFXandHEC
// Threading: const after construction.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "buffer/block.h"
#include "buffer/record.h"
#include "sinks/events/event_context.h"

namespace edgehose {

// The name as Splunk's CLEAN_KEYS has it: letters, digits, '_', '.', not beginning with a digit or
// '_'. One that every event has otherwise is "label_NAME".
std::string event_field_name(std::string_view name);
// What is wrong with the name of one of the config's fields; or nothing.
std::string not_an_event_field(const std::string& name);

class EventFields {
 public:
  EventFields(const EventContext& context, const Epoch& epoch, const std::string& source);
  // Appends `"fields":{...}`. A record's attributes win over fields, those over labels.
  void append(const Record& record, std::string& out) const;

 private:
  std::map<std::string, std::string> members_;  // name -> text
  std::string common_;                          // the same as JSON, each with a ',' behind
};

}  // namespace edgehose
