#include "sinks/elasticsearch/document_fields.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/base/json.h"
#include "sinks/events/json_text.h"

namespace edgehose {
namespace {

// "a.b.c" into nested objects. What stood in the way gives way.
void put(Json& tree, std::string_view path, const std::string& value) {
  Json* at = &tree;
  for (;;) {
    const std::size_t dot = path.find('.');
    Json& child = (*at)[std::string(path.substr(0, dot))];
    if (dot == std::string_view::npos) {
      child = value;
      return;
    }
    if (!child.is_object()) child = Json::object();
    at = &child;
    path.remove_prefix(dot + 1);
  }
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "\"id\":\"gw\",\"name\":\"x\"" of an object.
std::string members_of(const Json& object) {
  const std::string all = dump(object);
  return all.substr(1, all.size() - 2);
}

// In labels a dot would make an object.
std::string label_name(std::string_view name) {
  std::string plain(name);
  std::ranges::replace(plain, '.', '_');
  return plain;
}

Json tree_of(const EventContext& context, const std::string& source) {
  Json tree = {{"event", Json::object()}, {"log", Json::object()}, {"labels", Json::object()}};
  if (!source.empty()) put(tree, "event.dataset", source);
  put(tree, "agent.id", context.agent);
  if (!context.host.empty()) put(tree, "host.name", context.host);
  for (const auto& [name, value] : context.labels) tree["labels"][label_name(name)] = value;
  for (const auto& [name, value] : context.fields) put(tree, name, value);
  return tree;
}

}  // namespace

std::string not_a_field(const std::string& name) {
  constexpr std::string_view kOwn[] = {"@timestamp", "message",    "event",     "event.sequence",
                                       "log",        "log.offset", "log.flags", "labels"};
  // What is a value there can be no object beside it.
  constexpr std::string_view kValues[] = {"@timestamp", "message",   "event.sequence",
                                          "log.offset", "log.flags", "log.file"};
  const auto below = [&](std::string_view own) {
    return name.starts_with(own) && name.substr(own.size()).starts_with('.');
  };
  if (std::ranges::find(kOwn, name) != std::end(kOwn) || name == "log.file" ||
      std::ranges::any_of(kValues, below))
    return "is written from each record";
  if (name.starts_with('_')) return "must not begin with '_': such names are the server's own";
  if (name.empty() || name.front() == '.' || name.back() == '.' ||
      name.find("..") != std::string::npos)
    return "is no field's name, such as \"service.name\"";
  return {};
}

DocumentFields::DocumentFields(const EventContext& context, const std::string& source) {
  const Json tree = tree_of(context, source);
  for (const auto& [name, value] : tree.items())
    // A field without a dot is a member of the document itself.
    roots_.push_back({name, value.is_object() ? members_of(value) : dump(value)});
  for (const auto& [name, value] : tree["labels"].items()) labels_[name] = dump(value);
  for (std::size_t i = kLabels + 1; i < roots_.size(); ++i) {
    Root& root = roots_[i];
    const bool object = tree[root.name].is_object();
    if (object) root.members = '{' + root.members + '}';
    root.members = ',' + json_text(root.name) + ':' + root.members;
  }
  EH_CHECK(roots_.size() <= kMaxRoots);
}

DocumentFields::Roots DocumentFields::root_of(std::string_view key) const {
  const std::string_view name = key.substr(0, key.find('.'));
  for (std::size_t i = 0; i < roots_.size(); ++i)
    if (roots_[i].name == name) return Roots(1) << i;
  return 0;
}

void DocumentFields::append(const Record& record, std::string_view file, Roots taken,
                            std::string& out) const {
  const auto own = [taken](std::size_t root) { return (taken >> root & 1) == 0; };
  if (own(kEvent)) {
    out.append(",\"event\":{").append(roots_[kEvent].members);
    out += roots_[kEvent].members.empty() ? "\"sequence\":" : ",\"sequence\":";
    append_json_number(record.sequence.value, out);
    out.push_back('}');
  }
  if (own(kLog)) append_log(record, file, out);
  if (own(kLabels)) append_labels(record, out);
  for (std::size_t i = kLabels + 1; i < roots_.size(); ++i)
    if (own(i)) out += roots_[i].members;
}

void DocumentFields::append_log(const Record& record, std::string_view file,
                                std::string& out) const {
  const bool of_file = record.file.value != 0, flagged = record.truncated || record.partial;
  if (!of_file && !flagged && roots_[kLog].members.empty()) return;
  out.append(",\"log\":{").append(roots_[kLog].members);
  const auto next = [&](std::string_view name) {
    if (out.back() != '{') out.push_back(',');
    out += name;
  };
  if (!file.empty()) {
    next("\"file\":{\"path\":");
    append_json_text(file, out);
    out.push_back('}');
  }
  if (of_file) {
    next("\"offset\":");
    append_json_number(record.begin, out);
  }
  if (flagged) {
    next("\"flags\":[");
    if (record.truncated) out += "\"truncated\"";
    if (record.truncated && record.partial) out.push_back(',');
    if (record.partial) out += "\"partial\"";
    out.push_back(']');
  }
  out.push_back('}');
}

// A record's attributes are labels of its own: where they have the name of another, they count.
void DocumentFields::append_labels(const Record& record, std::string& out) const {
  if (record.attributes.empty()) {
    if (!roots_[kLabels].members.empty())
      out.append(",\"labels\":{").append(roots_[kLabels].members).push_back('}');
    return;
  }
  std::map<std::string, std::string> labels = labels_;
  for (const Attribute& attribute : record.attributes)
    labels[label_name(attribute.name)] = json_text(attribute.value);
  char before = '{';
  out += ",\"labels\":";
  for (const auto& [name, value] : labels) {
    out.push_back(std::exchange(before, ','));
    out.append(json_text(name)).append(":").append(value);
  }
  out.push_back('}');
}

}  // namespace edgehose
