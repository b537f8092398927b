// Reads tables into structs, as their fields say, and writes down what came from where.
//
// Threading: one load, one Reader, one thread.
#pragma once

#include <string>
#include <vector>

#include "agent/config/field.h"
#include "agent/config/load.h"

namespace edgehose::config {

class Reader {
 public:
  // A list that other tables have a say in: names of sources, or items to appear once.
  struct SharedList {
    std::string table;  // "sinks.archive"
    const Field* field;
    const Value* value;
  };
  struct SecretUse {
    std::string key;
    Origin origin;
    SecretRef secret;
    bool for_all_to_see;  // as a public key is
  };

  explicit Reader(Diagnostics& problems) : problems_(problems) {}

  // `object` is the struct that the fields are of; `table` is called `path` ("sinks.archive") and
  // stands at `at`. "type" is nobody's unknown key where `typed`.
  void read(const std::vector<Field>& fields, const std::vector<Rule>& rules, const Table& table,
            const Origin& at, const std::string& path, void* object, bool typed = false);

  std::vector<Setting> settings;
  std::vector<SharedList> lists;
  std::vector<SecretUse> secrets;

 private:
  void read_field(const Field& field, const Entry* entry, const Origin& at, const std::string& path,
                  void* object);
  void note_setting(const Field& field, const Entry* entry, const std::string& path,
                    const void* object);
  void read_value(const Field& field, const Entry& entry, const std::string& path, void* object);
  void check_value(const Field& field, const Entry& entry, const void* object);
  void check_items(const Field& field, const Value& value);
  void note_secrets(const Field& field, const Value& value, const void* object);
  void unknown_keys(const std::vector<Field>& fields, const Table& table, const std::string& path,
                    bool typed);
  void wrong(const Field& field, const Origin& at, const std::string& message);

  Diagnostics& problems_;
};

}  // namespace edgehose::config
