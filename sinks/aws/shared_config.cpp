#include "sinks/aws/shared_config.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/aws/environment.h"

namespace edgehose::aws {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_name(std::string_view text) {
  constexpr std::string_view kAlso = "-_/.%@:+";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           kAlso.find(c) != std::string_view::npos;
  });
}

// "profile foo" -> true, and `text` is "foo"; "profilefoo" -> false.
bool strip_kind(std::string_view& text, std::string_view kind) {
  if (!text.starts_with(kind)) return false;
  const std::string_view rest = text.substr(kind.size());
  if (rest.empty() || kBlanks.find(rest[0]) == std::string_view::npos) return false;
  text = trimmed(rest);
  return true;
}

// One pass over the lines of a file.
class Reader {
 public:
  Reader(SharedFile kind, std::string_view name) : kind_(kind), name_(name) {}

  Result<SharedConfig> read(std::string_view content) {
    while (!content.empty()) {
      ++line_;
      std::string_view line = content.substr(0, content.find('\n'));
      content.remove_prefix(std::min(line.size() + 1, content.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (trimmed(line).empty() || line[0] == '#' || line[0] == ';') continue;
      if (line[0] == '[')
        EH_TRY(section(line));
      else if (kBlanks.find(line[0]) != std::string_view::npos)
        EH_TRY(continuation(trimmed(line)));
      else
        EH_TRY(definition(line));
    }
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorCode::kInvalid, "{}:{}: {}", name_, line_, what);
  }

  Status section(std::string_view line) {
    const std::size_t end = line.find(']');
    if (end == std::string_view::npos) return wrong("Profile definition must end with ']'");
    in_section_ = true;
    section_ = choose(trimmed(line.substr(1, end - 1)));
    property_.clear();
    return {};
  }

  // Where the properties of a section go; null: it is not for us, they are read and forgotten.
  Properties* choose(std::string_view title) {
    const bool config = kind_ == SharedFile::kConfig;
    if (config && strip_kind(title, "sso-session"))
      return is_name(title) ? &out_.sso_sessions[std::string(title)] : nullptr;
    if (config && strip_kind(title, "services"))
      return is_name(title) ? &out_.services[std::string(title)] : nullptr;
    const bool prefixed = config && strip_kind(title, "profile");
    if (!is_name(title) || (config && !prefixed && title != "default")) return nullptr;
    if (config && title == "default") {
      // "[profile default]" hides "[default]", wherever it stands.
      if (!prefixed && default_is_prefixed_) return nullptr;
      if (prefixed && !default_is_prefixed_) out_.profiles.erase("default");
      default_is_prefixed_ = prefixed;
    }
    return &out_.profiles[std::string(title)];
  }

  Status definition(std::string_view line) {
    if (!in_section_) return wrong("Expected a profile definition");
    for (const std::string_view comment : {" #", " ;", "\t#", "\t;"})
      line = line.substr(0, line.find(comment));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return wrong("Expected an '=' sign defining a property");
    const std::string_view name = trimmed(line.substr(0, equals));
    if (name.empty()) return wrong("Property did not have a name");
    property_ = lower_case(std::string(name));
    ignored_ = section_ == nullptr || !is_name(name);
    const std::string_view value = trimmed(line.substr(equals + 1));
    has_sub_properties_ = value.empty();
    if (!ignored_) (*section_)[property_] = value;
    return {};
  }

  Status continuation(std::string_view text) {
    if (!in_section_) return wrong("Expected a profile definition");
    if (property_.empty()) return wrong("Expected a property definition, found continuation");
    if (has_sub_properties_) {
      const std::size_t equals = text.find('=');
      if (equals == std::string_view::npos)
        return wrong("Expected an '=' sign defining a sub-property");
      if (equals == 0) return wrong("Sub-property did not have a name");
    }
    if (!ignored_) ((*section_)[property_] += '\n') += text;
    return {};
  }

  SharedFile kind_;
  std::string_view name_;
  SharedConfig out_;
  std::size_t line_ = 0;
  bool in_section_ = false;
  bool default_is_prefixed_ = false;
  Properties* section_ = nullptr;
  std::string property_;  // that a continuation belongs to; empty: none
  bool ignored_ = false;
  bool has_sub_properties_ = false;
};

void merge(std::map<std::string, Properties>& to, const std::map<std::string, Properties>& from) {
  for (const auto& [section, properties] : from)
    for (auto& into = to[section]; const auto& [name, value] : properties) into[name] = value;
}

}  // namespace

const Properties* SharedConfig::profile(const std::string& name) const {
  const auto found = profiles.find(name);
  return found == profiles.end() ? nullptr : &found->second;
}

std::string property(const Properties* properties, const std::string& name) {
  if (properties == nullptr) return {};
  const auto found = properties->find(name);
  return found == properties->end() ? std::string() : found->second;
}

std::string sub_property(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    const std::string_view line = value.substr(0, value.find('\n'));
    value.remove_prefix(std::min(line.size() + 1, value.size()));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos && trimmed(line.substr(0, equals)) == name)
      return std::string(trimmed(line.substr(equals + 1)));
  }
  return {};
}

Status add_shared_file(SharedConfig& to, SharedFile kind, std::string_view content,
                       std::string_view name) {
  EH_ASSIGN(const SharedConfig read, Reader(kind, name).read(content));
  merge(to.profiles, read.profiles);
  merge(to.sso_sessions, read.sso_sessions);
  merge(to.services, read.services);
  return {};
}

}  // namespace edgehose::aws
