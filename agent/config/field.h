// Fields: each option of edgehose is declared once, beside the struct it fills:
//
//   Fields<DirectoryConfig> directory_fields() {
//     return {
//         include<&DirectoryConfig::common>(sink_fields()),
//         field<&DirectoryConfig::path>("path", kRequired, "Where objects go."),
//         choice<&DirectoryConfig::format>("format", {{"lines", kLines}, {"ndjson", kNdjson}},
//         "..."), field<&DirectoryConfig::level>("level", "Effort.").range(1, 19),
//     };
//   }
//
// From it come parsing, errors with their place and the nearest name, --set, defaults (those of a
// default-constructed struct), the effective config, the reference page and the example.
//
// The member's type decides how a value is read and printed (field_type.h): bool, integers, string,
// Duration, lists and maps of strings, SecretRef, lists of it, and std::optional of any.
//
// Threading: plain values, built at start.
#pragma once

#include <any>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/config/field_type.h"
#include "agent/config/value.h"

namespace edgehose::config {

struct Required {};
constexpr Required kRequired;

// A rule over several keys of a table, told at the first of them. Returns what is wrong, or
// nothing. Not asked where one of its keys has an error of its own: it would repeat it or mislead.
struct Rule {
  std::vector<std::string> keys;
  std::function<std::string(const void* object)> wrong;
};

// One declared key, without its struct's type: functions take the struct that the key is of.
struct Field {
  enum class Kind {
    kValue,
    kTable,      // holds fields of its own
    kInclude,    // its fields belong to the table around it
    kTableName,  // not a key: takes NAME of [sinks.NAME]
    kNotHere,    // a key that other types have: an error, `help` says why
  };
  Kind kind = Kind::kValue;
  std::string key;
  std::string type;  // for people: "duration", "one of \"a\", \"b\""
  std::string help;
  std::string example;       // TOML; empty: the default
  std::string default_text;  // what unset means, in words; empty: print the default
  std::string bounds;        // "1 to 16"; empty: none
  bool required = false;
  bool names_sources = false;   // a list of names of sources
  bool for_all_to_see = false;  // where a secret would be kept is something public: no warning
  bool in_example = false;      // set in the example config, though it is not required
  bool apart = false;           // goes with none, or with others than the defaults of the example
  bool distinct = false;        // a list without repetitions; repeated in another source: a warning
  std::string if_empty;         // of a table: what is wrong with an empty one; empty: a warning
  std::vector<Field> fields;    // of a table or an include
  std::vector<Rule> rules;      // likewise

  std::function<bool(const Value&, void* object, Diagnostics&)> read;  // false: reported
  std::function<std::string(const void* object)> print;                // TOML; empty: unset
  std::function<StringMap(const void* object)> entries;                // of a table of strings
  std::vector<std::function<std::string(const void* object)>> checks;  // what is wrong, or nothing
  std::function<std::string(const std::string&)> item_check;          // the same for a list's items
  std::function<std::vector<SecretRef>(const void* object)> secrets;  // that it refers to

  bool is_key() const { return kind != Kind::kTableName && kind != Kind::kNotHere; }
};

// A field of struct C. Only these fit into Fields<C>.
template <class C>
struct FieldFor : Field {};

template <class C, class V>
struct ValueField : FieldFor<C> {
  V C::*member = nullptr;

  ValueField range(V low, V high) &&;
  // wrong(value) says what is wrong with it, or nothing: "must be an absolute path".
  template <class Wrong>
  ValueField check(Wrong wrong) && {
    this->checks.push_back([wrong, m = member](const void* object) -> std::string {
      return wrong(static_cast<const C*>(object)->*m);
    });
    return std::move(*this);
  }
  ValueField each(std::function<std::string(const std::string&)> wrong) && {
    this->item_check = std::move(wrong);
    return std::move(*this);
  }
  ValueField example(std::string toml) && {
    Field::example = std::move(toml);
    return std::move(*this);
  }
  ValueField unset_means(std::string words) && {
    this->default_text = std::move(words);
    return std::move(*this);
  }
  ValueField are_sources() && {
    this->names_sources = true;
    return std::move(*this);
  }
  ValueField is_for_all_to_see() && {
    this->for_all_to_see = true;
    return std::move(*this);
  }
  ValueField in_example() && {
    Field::in_example = true;
    return std::move(*this);
  }
  ValueField apart() && {
    Field::apart = true;
    return std::move(*this);
  }
  ValueField are_distinct() && {
    this->distinct = true;
    return std::move(*this);
  }
};

// `example`: what is shown of it where not all of its keys go together. `not_empty`: an empty one
// is an error, in these words.
template <class C>
struct TableField : FieldFor<C> {
  TableField example(std::string toml) && {
    Field::example = std::move(toml);
    return std::move(*this);
  }
  TableField not_empty(std::string wrong) && {
    Field::if_empty = std::move(wrong);
    return std::move(*this);
  }
};

// The declared options of struct C.
template <class C>
struct Fields {
  std::vector<Field> fields;
  std::vector<Rule> rules;

  Fields(std::initializer_list<FieldFor<C>> list);
  // A rule over several fields, told at the first: wrong(config) says what is wrong, or nothing.
  template <class Wrong>
  Fields rule(std::vector<std::string> keys, Wrong wrong) && {
    rules.push_back({std::move(keys), [wrong](const void* object) -> std::string {
                       return wrong(*static_cast<const C*>(object));
                     }});
    return std::move(*this);
  }
};

// field<&C::member>(key, help): read and printed as the member's type says.
template <auto Member>
auto field(std::string key, std::string help);
template <auto Member>
auto field(std::string key, Required, std::string help);
// Bytes, "8MiB": the member is std::uint64_t or an optional of it.
template <auto Member>
auto size_field(std::string key, std::string help);
// A std::string that is written in the config or kept in a file: id = { file = "/etc/gateway-id" }.
template <auto Member>
auto text_or_file(std::string key, std::string help);
// A SecretRef that may also be written in the config itself, with a warning.
template <auto Member>
auto plain_secret(std::string key, std::string help);
// An enumerator by name.
template <auto Member>
auto choice(std::string key,
            std::vector<std::pair<std::string, typename MemberOf<Member>::Type>> names,
            std::string help);
// key = { ... }: a struct of its own.
template <auto Member>
TableField<typename MemberOf<Member>::Owner> table(std::string key,
                                                   Fields<typename MemberOf<Member>::Type> fields,
                                                   std::string help);
// key = { ... }: a table in the config, members of the same struct in memory.
template <class C>
TableField<C> group(std::string key, Fields<C> fields, std::string help);
// A key that belongs to another type: who writes it here is told why not.
template <class C>
FieldFor<C> not_here(std::string key, std::string why);
// The fields of a struct that C holds, as if they were C's own.
template <auto Member>
FieldFor<typename MemberOf<Member>::Owner> include(Fields<typename MemberOf<Member>::Type> fields);
// Takes NAME of [sources.NAME] or [sinks.NAME].
template <auto Member>
FieldFor<typename MemberOf<Member>::Owner> table_name();

}  // namespace edgehose::config

#include "agent/config/field_impl.h"
