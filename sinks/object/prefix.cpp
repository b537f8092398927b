#include "sinks/object/prefix.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr std::string_view kNamespaces[] = {"timestamp", "firehose", "edgehose", "label"};
constexpr std::string_view kDefaultTimestamp = "yyyy/MM/dd/HH/";

template <class... Args>
tl::unexpected<Error> wrong(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kInvalid, format, std::forward<Args>(args)...);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates,
                         std::string_view before, std::string_view after) {
  const auto near = nearest(word, candidates);
  return near ? fmt::format(": did you mean !{{{}{}{}}}?", before, *near, after) : "";
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// A name as part of a key.
std::string safe(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c == '/' || is_control(c)) c = '_';
  return out;
}

// Eleven letters and digits out of the seed (splitmix64), different for each place in the prefix.
std::string random_string(std::uint64_t seed, std::uint64_t place) {
  constexpr std::string_view kAlphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint64_t z = seed + (place + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  std::string out(11, '0');
  for (char& c : out) {
    c = kAlphabet[static_cast<std::size_t>(z % kAlphabet.size())];
    z /= kAlphabet.size();
  }
  return out;
}

// "{timestamp:...}" is text like any other, and hardly meant as such.
void warn_of_bare_expressions(std::string_view text, std::vector<std::string>& warnings) {
  for (const std::string_view space : kNamespaces)
    if (text.find(fmt::format("{{{}:", space)) != std::string_view::npos)
      warnings.push_back(
          fmt::format("prefix: {{{0}:...}} is no expression, it stands in names as it is: write "
                      "!{{{0}:...}}",
                      space));
}

bool is_dots(std::string_view part) { return part == "." || part == ".."; }

// What names of agent and source may still have made: empty parts go, dots become underscores.
std::string tidy(std::string_view key) {
  std::string out;
  for (std::size_t at = 0; at < key.size();) {
    const std::size_t slash = std::min(key.find('/', at), key.size());
    const std::string_view part = key.substr(at, slash - at);
    // The last part has no '/' behind it: the object's name follows, so dots stand for no
    // directory.
    if (slash == key.size())
      out.append(part);
    else if (is_dots(part))
      out.append(part.size(), '_').push_back('/');
    else if (!part.empty())
      out.append(part).push_back('/');
    at = slash + 1;
  }
  if (out.size() > kMaxPrefixBytes) {
    std::size_t end = kMaxPrefixBytes;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
    out.resize(end);
  }
  return out;
}

}  // namespace

Result<Prefix> Prefix::compile(std::string_view text, const Labels& labels,
                               std::string_view timezone, std::vector<std::string>& warnings) {
  Prefix prefix;
  EH_ASSIGN(auto zone, TimeZone::load(timezone));
  prefix.zone_ = std::make_shared<const TimeZone>(std::move(zone));
  std::vector<std::string> errors;  // all of them
  const auto note = [&](const Status& status) {
    if (!status && std::ranges::find(errors, status.error().message) == errors.end())
      errors.push_back(status.error().message);
  };
  while (!text.empty()) {
    const std::size_t open = text.find("!{");
    for (std::string_view rest = text.substr(0, open); !rest.empty();) note(prefix.add_text(rest));
    warn_of_bare_expressions(text.substr(0, open), warnings);
    if (open == std::string_view::npos) break;
    text.remove_prefix(open + 2);
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos) {
      note(wrong("the expression !{{{} is not closed: its }} is missing", text.substr(0, 64)));
      break;
    }
    note(prefix.add_expression(text.substr(0, close), labels, warnings));
    text.remove_prefix(close + 1);
  }
  const auto is_timestamp = [](const Part& p) { return p.kind == Part::Kind::kTimestamp; };
  if (errors.empty() && std::ranges::none_of(prefix.parts_, is_timestamp))
    note(prefix.add_default_timestamp());
  if (errors.empty()) note(prefix.check_example());
  if (!errors.empty()) return fail(ErrorCode::kInvalid, "prefix: {}", fmt::join(errors, "; "));
  return prefix;
}

Status Prefix::add_text(std::string_view& text) {
  const std::string_view all = std::exchange(text, {});
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const std::string_view java = all[i] == '%' ? java_spelling(all[i + 1]) : "";
    const bool shells = all[i] == '$' && all[i + 1] == '{';
    if (java.empty() && !shells) continue;
    text = all.substr(i + 2);
    if (shells) return wrong("${{ begins no expression here: write !{{");
    return wrong("%{} is strftime's spelling: write !{{timestamp:{}}}", all[i + 1], java);
  }
  if (std::ranges::any_of(all, is_control)) return wrong("it holds a control character");
  if (!all.empty()) parts_.push_back({Part::Kind::kText, std::string(all), {}});
  return {};
}

Status Prefix::add_expression(std::string_view expression, const Labels& labels,
                              std::vector<std::string>& warnings) {
  const std::size_t colon = expression.find(':');
  const std::string_view space = expression.substr(0, colon);
  const std::string_view value =
      colon == std::string_view::npos ? std::string_view() : expression.substr(colon + 1);
  if (space == "partitionKeyFromQuery" || space == "partitionKeyFromLambda")
    return wrong(
        "!{{{}}} is not supported: objects are not partitioned by what records hold; use "
        "!{{label:NAME}} or a sink for each source",
        expression);
  if (std::ranges::find(kNamespaces, space) == std::end(kNamespaces))
    return wrong("!{{{}}}: there is no namespace \"{}\"{}", expression, space,
                 did_you_mean(space, kNamespaces, "", fmt::format(":{}", value)));
  if (value.empty())
    return wrong("!{{{}}} says nothing after its namespace: write !{{{}:...}}", expression, space);
  if (space == "timestamp") return add_timestamp(value, warnings);
  if (space == "label") return add_label(value, labels);

  if (space == "firehose" && value == "error-output-type")
    return wrong(
        "!{{firehose:error-output-type}} belongs into an error prefix, which edgehose does "
        "not have: refused records are kept as dead letters");
  if (space == "firehose" && value == "random-string") {
    parts_.push_back({Part::Kind::kRandom, {}, {}});
    return {};
  }
  if (space == "edgehose" && (value == "agent" || value == "source")) {
    parts_.push_back({value == "agent" ? Part::Kind::kAgent : Part::Kind::kSource, {}, {}});
    return {};
  }
  static constexpr std::string_view kFirehose[] = {"random-string"};
  static constexpr std::string_view kEdgehose[] = {"agent", "source"};
  const auto candidates = space == "firehose" ? std::span<const std::string_view>(kFirehose)
                                              : std::span<const std::string_view>(kEdgehose);
  return wrong("!{{{}}}: {} has no \"{}\"{}", expression, space, value,
               did_you_mean(value, candidates, fmt::format("{}:", space), ""));
}

Status Prefix::add_label(std::string_view name, const Labels& labels) {
  const auto found = labels.find(std::string(name));
  if (found == labels.end()) {
    std::vector<std::string_view> names;
    for (const auto& [known, value] : labels) names.push_back(known);
    const std::string hint = did_you_mean(name, names, "label:", "");
    return wrong("!{{label:{}}}: no such label{}", name,
                 hint.empty() ? ": set it in [agent] labels" : hint);
  }
  const std::string& value = found->second;
  if (std::ranges::any_of(value, is_control))  // no label of a config: those are printable
    return wrong("!{{label:{}}}: its value holds a control character, which a key cannot take",
                 name);
  if (value.find('/') != std::string::npos)
    return wrong("!{{label:{}}}: its value \"{}\" holds a '/', which a key cannot take", name,
                 value);
  parts_.push_back({Part::Kind::kText, value, {}});
  return {};
}

Status Prefix::add_timestamp(std::string_view pattern, std::vector<std::string>& warnings) {
  auto compiled = DatePattern::compile(pattern, warnings);
  if (!compiled) return wrong("!{{timestamp:{}}}: {}", pattern, compiled.error().message);
  parts_.push_back({Part::Kind::kTimestamp, {}, *std::move(compiled)});
  return {};
}

Status Prefix::add_default_timestamp() {
  const bool open = !parts_.empty() &&
                    !(parts_.back().kind == Part::Kind::kText && parts_.back().text.ends_with('/'));
  if (open) parts_.push_back({Part::Kind::kText, "/", {}});
  std::vector<std::string> none;
  return add_timestamp(kDefaultTimestamp, none);
}

Status Prefix::check_example() const {
  const std::string example = expand({"agent", "source", WallTime(), 0});
  if (example.size() > kMaxPrefixBytes)
    return wrong("it evaluates to {} bytes: the limit is {}", example.size(), kMaxPrefixBytes);
  if (example.starts_with('/'))
    return wrong("it begins with '/', which makes a first directory without a name: drop it");
  if (example.find("//") != std::string::npos)
    return wrong("it evaluates to \"{}\", where a directory between two '/' has no name", example);
  const std::string framed = "/" + example;
  if (framed.find("/./") != std::string::npos || framed.find("/../") != std::string::npos)
    return wrong("it evaluates to \"{}\": \".\" and \"..\" cannot be parts of a key", example);
  return {};
}

std::string Prefix::expand(const PrefixContext& context) const {
  std::string out;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    switch (part.kind) {
      case Part::Kind::kText: out += part.text; break;
      case Part::Kind::kTimestamp: out += part.pattern.format(context.time, *zone_); break;
      case Part::Kind::kRandom: out += random_string(context.seed, i); break;
      case Part::Kind::kAgent: out += safe(context.agent); break;
      case Part::Kind::kSource: out += safe(context.source); break;
    }
  }
  return out;
}

std::string Prefix::render(const PrefixContext& context) const { return tidy(expand(context)); }

}  // namespace edgehose
