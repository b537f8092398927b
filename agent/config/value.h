// What a config says before anybody knows what it means: a tree of values, each with the place it
// came from. Merging, ${VAR} and --set work on this tree; fields (field.h) are read from it.
//
// Threading: plain values. Bounds: a file is at most kMaxFileBytes, a directory kMaxFiles files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace edgehose::config {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxFiles = 256;  // in conf.d

// Where a value came from.
struct Origin {
  enum class Kind { kDefault, kFile, kSet };
  Kind kind = Kind::kDefault;
  std::string name;     // the file's path, or the key given to --set
  unsigned line = 0;    // from 1; 0: the file as a whole
  unsigned column = 0;  // from 1, in characters

  bool operator==(const Origin&) const = default;
  std::string text()
      const;  // "/etc/edgehose/edgehose.toml:12:3", "--set buffer.storage", "default"
};

// Something wrong, or (as a warning) probably not meant, and where.
struct Problem {
  Origin origin;
  std::string message;

  std::string text() const;  // "FILE:LINE:COLUMN: message"
};

// Collects every problem of a run, rather than the first.
struct Diagnostics {
  std::vector<Problem> errors;
  std::vector<Problem> warnings;

  void error(const Origin& at, std::string message) { errors.push_back({at, std::move(message)}); }
  void warn(const Origin& at, std::string message) { warnings.push_back({at, std::move(message)}); }
};

constexpr std::size_t kWholeValue = ~std::size_t{0};  // rather than an item of a list

struct Entry;
struct Value;
using List = std::vector<Value>;
using Table = std::vector<Entry>;  // in the order of the file
struct Date {};                    // TOML has dates; no field of ours takes one

struct Value {
  std::variant<bool, std::int64_t, double, Date, std::string, List, Table> data;
  Origin origin;
  std::string raw;      // the text after "=" of a --set that is not a quoted string
  bool broken = false;  // already reported: not to be read

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&data);
  }
};

struct Entry {
  std::string key;
  Origin origin;  // the key's
  Value value;
};

const Entry* find(const Table& table, std::string_view key);
// Where the value of a key of `table` stands, "encrypt.age" being the key of a table inside; where
// it is a list that is not empty, its `item`. What is not there stands where the table around it
// does.
Origin place_of(const Table& table, std::string_view key, const Origin& table_at,
                std::size_t item = kWholeValue);

// Lays `over` on `base`: tables merge, everything else replaces, references to secrets and files
// ({ file = "..." }) included.
void merge(Table& base, Table over);

// "the integer 5", "the string \"x\"", "a list": for "expected ..., got ...".
std::string describe(const Value& value);

// "text" as a TOML basic string.
std::string quote(std::string_view text);
// A TOML key: bare where it can be.
std::string quote_key(std::string_view key);

}  // namespace edgehose::config
