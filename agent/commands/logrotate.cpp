#include "agent/commands/logrotate.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "agent/base/file.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxRuleFiles = 1024;

// The words of a line: apart by blanks, or in quotes; "{" and "}" are words of their own.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#' && word.empty()) {
      break;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      end_word();
    } else if (c == '{' || c == '}') {
      end_word();
      words.emplace_back(1, c);
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

bool begins_script(const std::string& word) {
  return word == "postrotate" || word == "prerotate" || word == "firstaction" ||
         word == "lastaction" || word == "preremove";
}

// One file, line by line.
class Parser {
 public:
  Parser(std::string file, bool everywhere) : everywhere_(everywhere) {
    rule_.file = std::move(file);
  }

  void take(const std::vector<std::string>& words) {
    if (words.empty()) return;
    if (in_script_) {
      in_script_ = words[0] != "endscript";
      return;
    }
    if (begins_script(words[0])) {
      in_script_ = true;
      return;
    }
    for (const std::string& word : words) take(word);
  }

  bool everywhere() const { return everywhere_; }
  std::vector<LogrotateRule> found;

 private:
  void take(const std::string& word) {
    if (word == "{") {
      inside_ = true;
      copies_ = everywhere_;
    } else if (word == "}") {
      if (copies_ && !rule_.patterns.empty()) found.push_back(rule_);
      rule_.patterns.clear();
      inside_ = false;
    } else if (word == "copytruncate" || word == "nocopytruncate") {
      (inside_ ? copies_ : everywhere_) = word == "copytruncate";
    } else if (!inside_ && word.starts_with('/')) {
      rule_.patterns.push_back(word);
    }
  }

  bool everywhere_;
  bool inside_ = false, copies_ = false, in_script_ = false;
  LogrotateRule rule_;
};

}  // namespace

std::vector<LogrotateRule> copytruncate_rules_in(const std::string& file, std::string_view text,
                                                 bool& everywhere) {
  Parser parser(file, everywhere);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    parser.take(words_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  everywhere = parser.everywhere();
  return std::move(parser.found);
}

std::vector<LogrotateRule> copytruncate_rules(const std::string& etc) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(etc + "/logrotate.d", error), end;
       !error && it != end && files.size() < kMaxRuleFiles; it.increment(error))
    files.push_back(it->path().string());
  std::sort(files.begin(), files.end());
  files.insert(files.begin(), etc + "/logrotate.conf");
  std::vector<LogrotateRule> rules;
  bool everywhere = false;
  for (const std::string& file : files) {
    const auto text = read_file(file, kMaxFileBytes);
    if (!text) continue;
    for (LogrotateRule& rule : copytruncate_rules_in(file, *text, everywhere))
      rules.push_back(std::move(rule));
  }
  return rules;
}

// As a shell's glob(3) does: '*' stays inside a directory, a leading dot is said.
bool rotates(const LogrotateRule& rule, const std::string& path) {
  return std::any_of(rule.patterns.begin(), rule.patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
  });
}

}  // namespace edgehose
