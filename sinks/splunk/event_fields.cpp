#include "sinks/splunk/event_fields.h"

#include <algorithm>
#include <iterator>

#include "sinks/events/json_text.h"
#include "sinks/events/record_ids.h"

namespace edgehose {
namespace {

// Written from each record, or members of the event itself, or Splunk's own.
constexpr std::string_view kTaken[] = {
    "agent", "sequence", "stream",    "truncated",     "partial",   "host",  "source", "sourcetype",
    "index", "time",     "linecount", "splunk_server", "timestamp", "punct", "event",  "eventtype"};

bool is_taken(std::string_view name) { return std::ranges::find(kTaken, name) != std::end(kTaken); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool goes_into_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.';
}

// Without what Splunk takes for its own.
std::string clean(std::string_view name) {
  while (!name.empty() && (is_digit(name.front()) || !goes_into_a_name(name.front()) ||
                           name.front() == '_' || name.front() == '.'))
    name.remove_prefix(1);
  std::string cleaned(name);
  std::ranges::replace_if(
      cleaned, [](char c) { return !goes_into_a_name(c); }, '_');
  return cleaned;
}

std::string common_of(const std::map<std::string, std::string>& members) {
  std::string out;
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    append_json_text(name, out);
    out.push_back(':');
    append_json_text(value, out);
    out.push_back(',');
  }
  return out;
}

std::string stream_of(const EventContext& context, const Epoch& epoch, const std::string& source) {
  std::string beginning = RecordIds(context.agent, epoch, source).beginning();
  beginning.pop_back();  // its '-'
  return beginning;
}

}  // namespace

std::string event_field_name(std::string_view name) {
  std::string cleaned = clean(name);
  return cleaned.empty() || is_taken(cleaned) ? "label_" + cleaned : cleaned;
}

std::string not_an_event_field(const std::string& name) {
  if (is_taken(name)) return "is written from each record, or an option of its own";
  return name.empty() || clean(name) != name
             ? "is no field's name: letters, digits, '_' and '.', beginning with a letter"
             : "";
}

EventFields::EventFields(const EventContext& context, const Epoch& epoch,
                         const std::string& source) {
  for (const auto& [name, value] : context.labels) members_[event_field_name(name)] = value;
  for (const auto& [name, value] : context.fields) members_[name] = value;
  members_["agent"] = context.agent;
  members_["stream"] = stream_of(context, epoch, source);
  common_ = common_of(members_);
}

void EventFields::append(const Record& record, std::string& out) const {
  out += "\"fields\":{";
  if (record.attributes.empty()) {
    out += common_;
  } else {
    std::map<std::string, std::string> members = members_;
    for (const Attribute& attribute : record.attributes)
      members[event_field_name(attribute.name)] = attribute.value;
    out += common_of(members);
  }
  out += "\"sequence\":";
  append_json_number(record.sequence.value, out);
  if (record.truncated) out += ",\"truncated\":\"true\"";
  if (record.partial) out += ",\"partial\":\"true\"";
  out.push_back('}');
}

}  // namespace edgehose
