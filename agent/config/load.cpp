#include "agent/config/load.h"
#include "agent/base/text.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "agent/base/file.h"
#include "agent/config/cross_checks.h"
#include "agent/config/expand.h"
#include "agent/config/guess_type.h"
#include "agent/config/reader.h"
#include "agent/config/toml_file.h"

namespace edgehose {

using namespace config;

namespace {

constexpr std::size_t kMaxName = 64;

// Visible files that end in .toml, by name.
std::vector<std::string> files_in(const std::string& directory, Diagnostics& problems) {
  std::vector<std::string> paths;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (!open) {
    if (errno != ENOENT) problems.error({}, errno_error(errno, "opening " + directory).message);
    return paths;
  }
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name(entry->d_name);
    if (name.starts_with('.') || !name.ends_with(".toml")) continue;
    paths.push_back(fmt::format("{}/{}", directory, name));
  }
  std::sort(paths.begin(), paths.end());
  if (paths.size() <= kMaxFiles) return paths;
  problems.error({}, fmt::format("{} holds {} files; at most {} are read", directory, paths.size(),
                                 kMaxFiles));
  return {};
}

bool is_component_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

// The table that a key at the top of a file was meant for, or nothing.
std::string home_of(const std::string& key) {
  const auto has = [&](const std::vector<Field>& fields) {
    return std::any_of(fields.begin(), fields.end(), [&](const Field& f) { return f.key == key; });
  };
  if (has(agent_fields().fields)) return "agent";
  return has(buffer_fields().fields) ? "buffer" : "";
}

// One run of load_config.
class Loader {
 public:
  Loader(const LoadOptions& options, const ConfigSchema& schema)
      : options_(options), schema_(schema) {}

  tl::expected<LoadedConfig, ConfigErrors> load();

 private:
  void read_files();
  std::vector<ConfigText> texts_of_files();
  void expand();
  void check_top_level();
  void read_tables();
  void read_table(const char* name, const std::vector<Field>& fields,
                  const std::vector<Rule>& rules, void* object);
  std::vector<Component> read_components(const char* kind, const std::vector<ComponentType>& types);
  std::optional<Component> read_component(const char* kind, const Entry& entry,
                                          const std::vector<ComponentType>& types);
  std::string meant_another(const char* kind, const std::string& name) const;
  const ComponentType* type_of(const char* kind, const Entry& entry, const Table& table,
                               const std::vector<ComponentType>& types);
  void examine(const char* kind, const std::vector<Component>& components,
               const std::vector<ComponentType>& types);
  ConfigErrors failure();

  Origin main_file() const { return {Origin::Kind::kFile, options_.path}; }

  const LoadOptions& options_;
  const ConfigSchema& schema_;
  Diagnostics problems_;
  Reader reader_{problems_};
  Table merged_;
  LoadedConfig loaded_;
};

tl::expected<LoadedConfig, ConfigErrors> Loader::load() {
  read_files();
  if (!problems_.errors.empty()) return tl::unexpected(failure());
  expand();
  check_top_level();
  read_tables();
  if (loaded_.whole) {
    examine("source", loaded_.config.sources, schema_.sources());
    examine("sink", loaded_.config.sinks, schema_.sinks());
  }
  check_inputs(merged_, reader_.lists, problems_);
  check_repeated_paths(reader_.lists, problems_);
  if (loaded_.whole && problems_.errors.empty())
    problems_.errors = schema_.examine_all(loaded_.config);
  if (options_.try_secrets) try_secrets(reader_.secrets, options_.service, problems_);
  if (!problems_.errors.empty()) return tl::unexpected(failure());
  loaded_.settings = std::move(reader_.settings);
  loaded_.warnings = std::move(problems_.warnings);
  return std::move(loaded_);
}

void Loader::read_files() {
  loaded_.texts = options_.texts.empty() ? texts_of_files() : options_.texts;
  for (const ConfigText& file : loaded_.texts) {
    loaded_.files.push_back(file.path);
    if (auto table = parse_toml(file.path, file.text, problems_)) merge(merged_, std::move(*table));
  }
  for (const std::string& assignment : options_.sets)
    if (auto table = read_set(assignment, problems_)) merge(merged_, std::move(*table));
}

std::vector<ConfigText> Loader::texts_of_files() {
  std::vector<std::string> paths{options_.path};
  const std::vector<std::string> more =
      files_in(parent_directory(options_.path) + "/conf.d", problems_);
  paths.insert(paths.end(), more.begin(), more.end());
  std::vector<ConfigText> texts;
  for (const std::string& path : paths)
    if (auto text = read_config_file(path, problems_)) texts.push_back({path, *std::move(text)});
  return texts;
}

void Loader::expand() {
  expand_variables(merged_, {options_.service.variables, options_.need_variables}, problems_);
  loaded_.whole =
      std::ranges::none_of(merged_, [](const Entry& entry) { return any_broken(entry.value); });
  const Entry* agent = find(merged_, "agent");
  const Table* table = agent != nullptr ? agent->value.as<Table>() : nullptr;
  const Entry* place = table != nullptr ? find(*table, "data_dir") : nullptr;
  if (options_.need_variables || place == nullptr || !any_broken(place->value)) return;
  problems_.error(place->value.origin,
                  "data_dir: an environment variable in it is not set here; set it, or say "
                  "--set agent.data_dir=DIRECTORY");
}

void Loader::check_top_level() {
  const std::vector<std::string> known{"agent", "buffer", "sources", "sinks"};
  for (const Entry& entry : merged_) {
    const bool table = entry.value.as<Table>() != nullptr;
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) {
      if (!table)
        problems_.error(entry.value.origin, fmt::format("[{}] must be a table, got {}", entry.key,
                                                        describe(entry.value)));
      continue;
    }
    const std::string home = home_of(entry.key);
    problems_.error(entry.origin,
                    fmt::format("unknown {} {}{}", table ? "table" : "key", quote(entry.key),
                                home.empty() ? suggestion(entry.key, known, "tables")
                                             : fmt::format("; it belongs into [{}]", home)));
  }
}

void Loader::read_tables() {
  const bool misspelt = !problems_.errors.empty();
  Config& config = loaded_.config;
  const auto agent = agent_fields();
  const auto buffer = buffer_fields();
  read_table("agent", agent.fields, agent.rules, &config.agent);
  read_table("buffer", buffer.fields, buffer.rules, &config.buffer);
  config.sources = read_components("source", schema_.sources());
  config.sinks = read_components("sink", schema_.sinks());
  if (misspelt) return;  // [source.app] is told already; "no source" would be its echo
  for (const char* kind : {"source", "sink"}) {
    const Entry* entry = find(merged_, fmt::format("{}s", kind));
    if (entry == nullptr ||
        (entry->value.as<Table>() != nullptr && entry->value.as<Table>()->empty()))
      problems_.error(main_file(), fmt::format("there is no {0}: add a table [{0}s.NAME]", kind));
  }
}

void Loader::read_table(const char* name, const std::vector<Field>& fields,
                        const std::vector<Rule>& rules, void* object) {
  const Entry* entry = find(merged_, name);
  const Table* table = entry != nullptr ? entry->value.as<Table>() : nullptr;
  reader_.read(fields, rules, table != nullptr ? *table : Table{},
               entry != nullptr ? entry->value.origin : main_file(), name, object);
}

std::vector<Component> Loader::read_components(const char* kind,
                                               const std::vector<ComponentType>& types) {
  std::vector<Component> components;
  const Entry* all = find(merged_, fmt::format("{}s", kind));
  const Table* table = all != nullptr ? all->value.as<Table>() : nullptr;
  if (table == nullptr) return components;
  for (const Entry& entry : *table)
    if (auto component = read_component(kind, entry, types))
      components.push_back(std::move(*component));
  return components;
}

std::optional<Component> Loader::read_component(const char* kind, const Entry& entry,
                                                const std::vector<ComponentType>& types) {
  const std::string path = fmt::format("{}s.{}", kind, quote_key(entry.key));
  if (!is_component_name(entry.key))
    problems_.error(
        entry.origin,
        fmt::format("{} is no name for a {}: use a-z, 0-9, \"_\" and \"-\", at most {} of them",
                    quote(entry.key.substr(0, kMaxName)), kind, kMaxName));
  const Table* table = entry.value.as<Table>();
  if (table == nullptr) {
    problems_.error(entry.value.origin,
                    fmt::format("[{}] must be a table, got {}", path, describe(entry.value)));
    return std::nullopt;
  }
  const ComponentType* type = type_of(kind, entry, *table, types);
  if (type == nullptr) return std::nullopt;
  Component component{entry.key, type->name, entry.value.origin, type->make()};
  void* object = type->address_of(component.config);
  Value name{entry.key, entry.origin, {}, false};
  for (const Field& field : type->fields)
    if (field.kind == Field::Kind::kTableName) field.read(name, object, problems_);
  const Entry* given = find(*table, "type");
  reader_.settings.push_back({path + ".type",
                              quote(type->name),
                              {},
                              given != nullptr ? given->value.origin : entry.value.origin});
  reader_.read(type->fields, type->rules, *table, entry.value.origin, path, object, true);
  return component;
}

// Null: not to be read. Where it is only guessed that is told, and the table's other errors are
// too.
const ComponentType* Loader::type_of(const char* kind, const Entry& entry, const Table& table,
                                     const std::vector<ComponentType>& types) {
  std::vector<std::string> names;
  for (const ComponentType& type : types) names.push_back(type.name);
  const Entry* given = find(table, "type");
  const ComponentType* const guess = guess_type(table, types);
  if (given == nullptr) {
    const Entry* const misspelt = misspelt_type(table, types);
    if (misspelt != nullptr && guess != nullptr) return guess;  // its reader tells the key
    const std::string other = meant_another(kind, entry.key);
    const std::string near = misspelt == nullptr
                                 ? other
                                 : fmt::format("; {} was probably meant so", quote(misspelt->key));
    problems_.error(misspelt == nullptr ? entry.value.origin : misspelt->origin,
                    fmt::format("[{}s.{}] needs \"type\": {}{}", kind, quote_key(entry.key),
                                choice_type(names), near));
    return other.empty() ? guess : nullptr;
  }
  if (given->value.broken) return guess;
  const auto* name = given->value.as<std::string>();
  if (name == nullptr) {
    problems_.error(given->value.origin, fmt::format("type: expected {}, got {}",
                                                     choice_type(names), describe(given->value)));
    return guess;
  }
  const ComponentType* const type = type_like(*name, types);
  if (type == nullptr || type->name != *name)
    problems_.error(given->value.origin, fmt::format("unknown {} type {}{}", kind, quote(*name),
                                                     suggestion(*name, names, "types")));
  return type;
}

// "; did you mean [sinks.archive]?" of a table that a misspelt name made, as by --set; or empty.
std::string Loader::meant_another(const char* kind, const std::string& name) const {
  const Entry* const all = find(merged_, fmt::format("{}s", kind));
  std::vector<std::string_view> others;
  for (const Entry& entry : *all->value.as<Table>())
    if (entry.key != name) others.push_back(entry.key);
  const auto other = nearest(name, others);
  if (!other) return {};
  return fmt::format("; did you mean [{}s.{}]?", kind, quote_key(std::string(*other)));
}

// What has an error at its place already is not told again.
void Loader::examine(const char* kind, const std::vector<Component>& components,
                     const std::vector<ComponentType>& types) {
  const std::vector<Problem> told = problems_.errors;
  for (const Component& component : components) {
    const auto type = std::find_if(types.begin(), types.end(), [&](const ComponentType& t) {
      return t.name == component.type;
    });
    if (!type->examine) continue;
    const Table& all = *find(merged_, fmt::format("{}s", kind))->value.as<Table>();
    const Table& table = *find(all, component.name)->value.as<Table>();
    for (const Complaint& complaint : type->examine(component.config, loaded_.config.agent)) {
      const Origin at = place_of(table, complaint.key, component.origin, complaint.item);
      const bool known = std::any_of(told.begin(), told.end(),
                                     [&](const Problem& problem) { return problem.origin == at; });
      const std::string key = complaint.key.substr(complaint.key.rfind('.') + 1);
      if (known) continue;
      std::string message = fmt::format("{}: {}", key, complaint.message);
      if (complaint.warning)
        problems_.warn(at, std::move(message));
      else
        problems_.error(at, std::move(message));
    }
  }
}

// By file in the order of reading, then by line; --set after the files.
ConfigErrors Loader::failure() {
  const auto rank = [&](const Problem& problem) {
    const Origin& at = problem.origin;
    const auto file = std::find(loaded_.files.begin(), loaded_.files.end(), at.name);
    return std::tuple(at.kind == Origin::Kind::kSet, file - loaded_.files.begin(), at.line,
                      at.column);
  };
  std::stable_sort(problems_.errors.begin(), problems_.errors.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  return {std::move(problems_.errors), std::move(problems_.warnings)};
}

}  // namespace

tl::expected<LoadedConfig, ConfigErrors> load_config(const LoadOptions& options,
                                                     const ConfigSchema& schema) {
  return Loader(options, schema).load();
}

}  // namespace edgehose
