#include "agent/config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/config/expand.h"

namespace edgehose::config {

void Reader::read(const std::vector<Field>& fields, const std::vector<Rule>& rules,
                  const Table& table, const Origin& at, const std::string& path, void* object,
                  bool typed) {
  unknown_keys(fields, table, path, typed);
  std::set<std::string> wrong_keys;
  for (const Field& field : fields) {
    if (!field.is_key()) continue;
    const std::size_t errors = problems_.errors.size();
    const Entry* entry = find(table, field.key);
    read_field(field, entry, at, path, object);
    const bool broken = entry != nullptr && any_broken(entry->value);  // told before
    if (broken || problems_.errors.size() != errors) wrong_keys.insert(field.key);
  }
  for (const Rule& rule : rules) {
    const bool asked =
        std::none_of(rule.keys.begin(), rule.keys.end(),
                     [&](const std::string& key) { return wrong_keys.contains(key); });
    if (const std::string message = asked ? rule.wrong(object) : ""; !message.empty())
      problems_.error(place_of(table, rule.keys.front(), at),
                      fmt::format("{}: {}", rule.keys.front(), message));
  }
}

void Reader::read_field(const Field& field, const Entry* entry, const Origin& at,
                        const std::string& path, void* object) {
  static const Table kEmpty;
  if (field.kind == Field::Kind::kTable) {
    const Table* inner = entry != nullptr ? entry->value.as<Table>() : &kEmpty;
    if (inner == nullptr)
      wrong(field, entry->value.origin, "expected a table, got " + describe(entry->value));
    else if (entry != nullptr && inner->empty() && !field.if_empty.empty())
      wrong(field, entry->value.origin, field.if_empty);
    else if (entry != nullptr && inner->empty())
      problems_.warn(entry->value.origin, fmt::format("{}: is empty: it sets nothing", field.key));
    if (inner != nullptr)
      read(field.fields, field.rules, *inner, entry != nullptr ? entry->value.origin : at,
           path + "." + field.key, object);
    return;
  }
  if (entry != nullptr)
    read_value(field, *entry, path, object);
  else if (field.required)
    problems_.error(
        at, fmt::format("[{}] needs {} ({}){}", path, quote(field.key), field.type,
                        field.example.empty() ? "" : fmt::format(", such as {}", field.example)));
  note_setting(field, entry, path + "." + field.key, object);
}

// Tables merge, so each entry of a table of strings has a place of its own.
void Reader::note_setting(const Field& field, const Entry* entry, const std::string& path,
                          const void* object) {
  const Table* const table = entry != nullptr ? entry->value.as<Table>() : nullptr;
  const StringMap entries = field.entries ? field.entries(object) : StringMap{};
  for (const auto& [key, text] : entries) {
    const Entry* const given = table != nullptr ? find(*table, key) : nullptr;
    settings.push_back({path + "." + quote_key(key),
                        quote(text),
                        {},
                        given != nullptr ? given->value.origin : Origin{}});
  }
  if (entries.empty())
    settings.push_back({path, field.print(object), field.default_text,
                        entry != nullptr ? entry->value.origin : Origin{}});
}

void Reader::read_value(const Field& field, const Entry& entry, const std::string& path,
                        void* object) {
  if (entry.value.broken) return;
  Diagnostics found;
  const bool good = field.read(entry.value, object, found);
  for (const Problem& problem : found.errors) wrong(field, problem.origin, problem.message);
  for (const Problem& problem : found.warnings)
    problems_.warn(problem.origin, fmt::format("{}: {}", field.key, problem.message));
  if (!good) return;
  check_value(field, entry, object);
  check_items(field, entry.value);
  note_secrets(field, entry.value, object);
  if (field.names_sources || field.distinct) lists.push_back({path, &field, &entry.value});
}

void Reader::check_value(const Field& field, const Entry& entry, const void* object) {
  const bool empty = field.print(object).empty();
  if (empty && field.required) return wrong(field, entry.value.origin, "must not be empty");
  if (empty && field.names_sources)
    return wrong(field, entry.value.origin,
                 fmt::format("must not be empty; leave it out for {}", field.default_text));
  for (const auto& check : field.checks)
    if (const std::string message = check(object); !message.empty())
      return wrong(field, entry.value.origin, message);
}

void Reader::check_items(const Field& field, const Value& value) {
  const auto* items = value.as<List>();
  if (items == nullptr) return;
  std::set<std::string> seen;
  for (const Value& item : *items) {
    const auto* text = item.as<std::string>();
    if (text == nullptr) continue;
    const std::string message = field.item_check ? field.item_check(*text) : "";
    if (!message.empty())
      wrong(field, item.origin, message);
    else if (field.distinct && !seen.insert(*text).second)
      wrong(field, item.origin, fmt::format("{} is listed twice", quote(*text)));
  }
}

void Reader::note_secrets(const Field& field, const Value& value, const void* object) {
  if (!field.secrets) return;
  const auto* items = value.as<List>();
  const std::vector<SecretRef> found = field.secrets(object);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool own_place = items != nullptr && i < items->size();
    secrets.push_back(
        {field.key, own_place ? (*items)[i].origin : value.origin, found[i], field.for_all_to_see});
  }
}

void Reader::unknown_keys(const std::vector<Field>& fields, const Table& table,
                          const std::string& path, bool typed) {
  std::vector<std::string> known;
  if (typed) known.emplace_back("type");
  for (const Field& field : fields)
    if (field.is_key()) known.push_back(field.key);
  for (const Entry& entry : table) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const auto elsewhere = std::find_if(fields.begin(), fields.end(), [&](const Field& field) {
      return field.kind == Field::Kind::kNotHere && field.key == entry.key;
    });
    if (elsewhere != fields.end()) {
      wrong(*elsewhere, entry.origin, elsewhere->help);
      continue;
    }
    const bool dotted = entry.key.find('.') != std::string::npos;
    problems_.error(
        entry.origin,
        fmt::format("unknown key {} in [{}]{}", quote(entry.key), path,
                    dotted ? "; a key in quotes is one name: write the dots outside of quotes"
                           : suggestion(entry.key, known, "keys")));
  }
}

void Reader::wrong(const Field& field, const Origin& at, const std::string& message) {
  problems_.error(at, fmt::format("{}: {}", field.key, message));
}

}  // namespace edgehose::config
