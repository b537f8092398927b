#include "sinks/elasticsearch/json_scanner.h"

namespace edgehose {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view json) : rest_(json) {}

  bool good() const { return good_; }
  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }
  // Takes `c` if it is next.
  bool take(char c) {
    skip_blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { good_ = take(c) && good_; }
  // The next value, as it stands there; empty and bad where there is none.
  std::string_view value() {
    skip_blanks();
    std::size_t at = 0, depth = 0;
    do {
      if (at >= rest_.size()) return broken();
      const char c = rest_[at];
      if (c == '"') {
        at = end_of_string(at);
        if (at == 0) return broken();
      } else if (c == '{' || c == '[') {
        ++depth, ++at;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return broken();
        --depth, ++at;
      } else if (depth == 0) {
        at = rest_.find_first_of(",]} \t\r\n", at);
        if (at == 0 || at == rest_.npos) return broken();
      } else {
        at = rest_.find_first_of("\"{}[]", at);
      }
    } while (depth > 0);
    const std::string_view found = rest_.substr(0, at);
    rest_.remove_prefix(at);
    return found;
  }

 private:
  void skip_blanks() {
    const std::size_t begin = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(begin == rest_.npos ? rest_.size() : begin);
  }
  // Behind its closing quote; 0: there is none.
  std::size_t end_of_string(std::size_t at) const {
    for (++at; at < rest_.size(); ++at) {
      at = rest_.find_first_of("\"\\", at);
      if (at == rest_.npos) return 0;
      if (rest_[at] == '"') return at + 1;
      ++at;  // what is escaped
    }
    return 0;
  }
  std::string_view broken() {
    good_ = false;
    return {};
  }

  std::string_view rest_;
  bool good_ = true;
};

Status each_element(Scanner& in, const std::function<Status(std::string_view)>& take) {
  in.expect('[');
  if (in.take(']')) return {};
  do {
    const std::string_view element = in.value();
    if (!in.good()) break;
    EH_TRY(take(element));
  } while (in.take(','));
  in.expect(']');
  return {};
}

}  // namespace

Status for_each_element(std::string_view json, std::string_view name,
                        const std::function<Status(std::string_view)>& take) {
  Scanner in(json);
  bool found = false;
  in.expect('{');
  if (!in.take('}')) {
    do {
      const std::string_view key = in.value();
      in.expect(':');
      if (!in.good()) break;
      const bool wanted = key.size() == name.size() + 2 && key.substr(1, name.size()) == name;
      if (wanted && found) return fail(ErrorCode::kInvalid, "\"{}\" is there twice", name);
      found = found || wanted;
      if (wanted)
        EH_TRY(each_element(in, take));
      else
        in.value();
    } while (in.good() && in.take(','));
    in.expect('}');
  }
  if (!in.good() || !in.at_end()) return fail(ErrorCode::kInvalid, "it is no JSON, or cut short");
  if (!found) return fail(ErrorCode::kInvalid, "it has no \"{}\"", name);
  return {};
}

}  // namespace edgehose
