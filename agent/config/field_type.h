// How a value of each type is read from a config and printed back. To add a type: overload
// read_value, print_value and type_name for it here.
//
// read_value reports what is wrong at the value's place and returns false; it never quotes what
// might be a secret. print_value gives TOML that reads back as the same value; empty means unset.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/types.h"
#include "agent/config/secret.h"
#include "agent/config/value.h"

namespace edgehose::config {

using StringMap = std::map<std::string, std::string>;

bool read_value(const Value& value, bool& out, Diagnostics& problems);
bool read_value(const Value& value, std::string& out, Diagnostics& problems);
bool read_value(const Value& value, Duration& out, Diagnostics& problems);
bool read_value(const Value& value, std::vector<std::string>& out, Diagnostics& problems);
bool read_value(const Value& value, StringMap& out, Diagnostics& problems);
bool read_value(const Value& value, SecretRef& out, Diagnostics& problems);
bool read_value(const Value& value, std::vector<SecretRef>& out, Diagnostics& problems);

std::string print_value(bool value);
std::string print_value(const std::string& value);
std::string print_value(Duration value);
std::string print_value(const std::vector<std::string>& value);
std::string print_value(const StringMap& value);
std::string print_value(const SecretRef& value);
std::string print_value(const std::vector<SecretRef>& value);

inline std::string type_name(const bool*) { return "true or false"; }
inline std::string type_name(const std::string*) { return "string"; }
inline std::string type_name(const Duration*) { return "duration"; }
inline std::string type_name(const std::vector<std::string>*) { return "list of strings"; }
inline std::string type_name(const StringMap*) { return "table of strings"; }
inline std::string type_name(const SecretRef*) { return "secret"; }
inline std::string type_name(const std::vector<SecretRef>*) { return "list of secrets"; }

// Integers. A value outside [low, high] says so.
bool read_integer(const Value& value, std::int64_t low, std::int64_t high, std::int64_t& out,
                  Diagnostics& problems);
template <class T>
concept ConfigInteger = std::integral<T> && !std::same_as<T, bool>;
template <ConfigInteger Int>
bool read_value(const Value& value, Int& out, Diagnostics& problems) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr bool kWide = std::cmp_greater(std::numeric_limits<Int>::max(), kMax);
  std::int64_t read = 0;
  if (!read_integer(value, static_cast<std::int64_t>(std::numeric_limits<Int>::min()),
                    kWide ? kMax : static_cast<std::int64_t>(std::numeric_limits<Int>::max()), read,
                    problems))
    return false;
  out = static_cast<Int>(read);
  return true;
}
template <ConfigInteger Int>
std::string print_value(Int value) {
  return std::to_string(value);
}
template <ConfigInteger Int>
std::string type_name(const Int*) {
  return "integer";
}

// std::optional of any of them; unset prints as nothing.
template <class T>
bool read_value(const Value& value, std::optional<T>& out, Diagnostics& problems) {
  T read{};
  if (!read_value(value, read, problems)) return false;
  out = std::move(read);
  return true;
}
template <class T>
std::string print_value(const std::optional<T>& value) {
  return value ? print_value(*value) : "";
}
template <class T>
std::string type_name(const std::optional<T>*) {
  return type_name(static_cast<const T*>(nullptr));
}

// What a type alone does not decide.
bool read_size(const Value& value, std::uint64_t& out, Diagnostics& problems);
bool read_size(const Value& value, std::optional<std::uint64_t>& out, Diagnostics& problems);
std::string print_size(std::uint64_t value);
std::string print_size(const std::optional<std::uint64_t>& value);
bool read_text_or_file(const Value& value, std::string& out, Diagnostics& problems);
bool read_plain_secret(const Value& value, SecretRef& out, Diagnostics& problems);
// The index of the name that was chosen.
bool read_choice(const Value& value, const std::vector<std::string>& names, std::size_t& out,
                 Diagnostics& problems);
std::string choice_type(const std::vector<std::string>& names);

// "; did you mean \"path\"?" or, where nothing is near, "; known keys: a, b".
std::string suggestion(std::string_view word, const std::vector<std::string>& known,
                       std::string_view what);

// For .check() and .each(): what is wrong with a path that is not absolute, or nothing.
std::string not_absolute(const std::string& path);

// Taken apart: &DirectoryConfig::path -> DirectoryConfig, std::string.
template <class Pointer>
struct MemberPointer;
template <class C, class V>
struct MemberPointer<V C::*> {
  using Owner = C;
  using Type = V;
};
template <auto Member>
using MemberOf = MemberPointer<decltype(Member)>;

}  // namespace edgehose::config
