// check_lines: reads what was delivered and says whether every line of a gateway_log arrived
// exactly once, byte for byte. See --help and README.md.
//
// Objects are opened by the standard tools (age, zstd, gzip), never by code of ours, so that what
// passes here is what a user can read. Memory: 5 bytes for each expected line.
//
// Exit code: 0 every line exactly once; 1 not so; 2 wrong usage, or an object that a tool cannot
// read.
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/line_options.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* kHelp = R"(check_lines --manifest FILE [options] PATH...
Checks objects (files, or directories that are searched) against the log that FILE describes.
Names that begin with '.' are not objects. .age, .zst and .gz are opened by age, zstd and gzip;
.ndjson in a name means that each line is a JSON object with the log's line in one of its strings.

  --identity FILE   the age identity that opens .age objects
  --show N          how many offenders of a kind to print      (5)
  --in-order        lines out of order within a source are an error too
  --allow-missing   missing lines are told, but not an error
  --allow-duplicates  likewise
  --extra N         that many lines past the manifest's are fine too (a log that is still written)
)";

struct Options {
  std::string manifest, identity;
  std::uint64_t show = 5, extra = 0;
  bool in_order = false, allow_missing = false, allow_duplicates = false;
  std::vector<std::string> paths;
};

struct Expected {
  gateway::LineOptions line;
  std::uint64_t first = 0, lines = 0;
  // First and last of lines that a truncation took before they were copied: may be missing.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> windows;
};

// Numbers in names compare as numbers: "a-9" before "a-10".
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    while (i < a.size() && a[i] == '0') ++i;
    while (j < b.size() && b[j] == '0') ++j;
    std::size_t m = i, n = j;
    while (m < a.size() && digit(a[m])) ++m;
    while (n < b.size() && digit(b[n])) ++n;
    if (m - i != n - j) return m - i < n - j;
    if (const int c = a.compare(i, m - i, b, j, n - j)) return c < 0;
    i = m, j = n;
  }
  return a.size() - i < b.size() - j;
}

// Names end in -FIRST-LAST.log...: the sequence numbers decide, not the time in front of them,
// which may jump.
std::string order(const std::string& name) {
  const std::size_t dot =
      name.find('.', name.rfind('-') == std::string::npos ? 0 : name.rfind('-'));
  std::size_t at = name.rfind('-', dot);
  if (at != std::string::npos && at > 0) at = name.rfind('-', at - 1);
  return at == std::string::npos ? name : name.substr(at + 1);
}

std::vector<std::string> find_objects(const std::vector<std::string>& paths) {
  std::vector<std::string> objects;
  const auto add = [&](const fs::path& p) {
    if (!p.filename().string().starts_with('.')) objects.push_back(p.string());
  };
  for (const std::string& path : paths) {
    if (!fs::is_directory(path))
      add(path);
    else
      for (const auto& entry : fs::recursive_directory_iterator(path))
        if (entry.is_regular_file()) add(entry.path());
  }
  std::sort(objects.begin(), objects.end(), [](const std::string& a, const std::string& b) {
    const std::string x = order(fs::path(a).filename()), y = order(fs::path(b).filename());
    return x == y ? a < b : natural_less(x, y);
  });
  return objects;
}

std::string quoted(const std::string& s) {
  std::string out = "'";
  for (const char c : s) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The shell command that writes the object's lines: its suffixes, peeled from the right.
std::string open_command(const Options& options, const std::string& path) {
  std::string name = path, command;
  const auto peel = [&](const char* suffix, const std::string& tool) {
    if (!name.ends_with(suffix)) return;
    name.resize(name.size() - std::strlen(suffix));
    command += command.empty() ? tool + " < " + quoted(path) : " | " + tool;
  };
  peel(".age", "age -d -i " + quoted(options.identity));
  peel(".zst", "zstd -dcq");
  peel(".gz", "gzip -dc");
  return command.empty() ? "cat < " + quoted(path) : "set -o pipefail; " + command;
}

void append_utf8(std::string& out, unsigned c) {
  if (c < 0x80)
    out += static_cast<char>(c);
  else if (c < 0x800)
    out += static_cast<char>(0xC0 | c >> 6), out += static_cast<char>(0x80 | (c & 0x3F));
  else if (c < 0x10000)
    out += static_cast<char>(0xE0 | c >> 12), out += static_cast<char>(0x80 | (c >> 6 & 0x3F)),
        out += static_cast<char>(0x80 | (c & 0x3F));
  else
    out += static_cast<char>(0xF0 | c >> 18), out += static_cast<char>(0x80 | (c >> 12 & 0x3F)),
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F)),
        out += static_cast<char>(0x80 | (c & 0x3F));
}

// The first string of a JSON text that holds `needle`, unescaped; empty where there is none.
std::string json_string_with(std::string_view json, std::string_view needle) {
  std::string value;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '"') continue;
    value.clear();
    for (++i; i < json.size() && json[i] != '"'; ++i) {
      if (json[i] != '\\') {
        value += json[i];
        continue;
      }
      if (++i >= json.size()) return {};
      const auto hex4 = [&](std::size_t at) {
        return at + 4 <= json.size() ? static_cast<unsigned>(std::strtoul(
                                           std::string(json.substr(at, 4)).c_str(), nullptr, 16))
                                     : 0u;
      };
      switch (json[i]) {
        case 'n': value += '\n'; break;
        case 't': value += '\t'; break;
        case 'r': value += '\r'; break;
        case 'b': value += '\b'; break;
        case 'f': value += '\f'; break;
        case 'u': {
          unsigned c = hex4(i + 1);
          i += 4;
          if (c >= 0xD800 && c < 0xDC00 && json.substr(i + 1).starts_with("\\u")) {
            c = 0x10000 + ((c - 0xD800) << 10) + (hex4(i + 3) - 0xDC00);
            i += 6;
          }
          append_utf8(value, c);
          break;
        }
        default: value += json[i];
      }
    }
    if (value.find(needle) != std::string::npos) return value;
  }
  return {};
}

class Checker {
 public:
  Checker(const Options& options, const Expected& expected)
      : options_(options),
        expected_(expected),
        needle_("id=" + expected.line.run + "-"),
        seen_(expected.lines + options.extra),
        where_(expected.lines + options.extra) {
    for (const auto& [from, to] : expected.windows)
      for (std::uint64_t n = from; n <= to; ++n) seen_.at(n - expected.first) = kMayBeMissing;
  }

  void object(const std::string& path) {
    objects_.push_back(path);
    const std::string name = fs::path(path).filename();
    json_ = name.find(".ndjson") != std::string::npos;
    stored_ += fs::file_size(path);
    const std::string command = "exec bash -c " + quoted(open_command(options_, path));
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    if (!pipe) return unreadable("its tools do not start");
    char* line = nullptr;
    std::size_t capacity = 0;
    for (ssize_t n; (n = ::getline(&line, &capacity, pipe)) > 0;) {
      if (line[n - 1] == '\n') --n;
      check({line, static_cast<std::size_t>(n)});
    }
    std::free(line);
    if (const int status = ::pclose(pipe); status != 0)
      unreadable("exit code " + std::to_string(WEXITSTATUS(status)) + " of its tools");
  }

  int report() {
    missing();
    if (!expected_.windows.empty())
      std::printf("%llu lines were truncated before they were copied: %llu of them arrived\n",
                  ull(in_windows_), ull(in_windows_ - lost_in_windows_));
    std::printf("%llu lines expected, %llu delivered (%llu bytes) in %zu objects of %llu bytes\n",
                ull(expected_.lines), ull(delivered_), ull(bytes_), objects_.size(), ull(stored_));
    std::printf(
        "missing %llu, duplicated %llu, mangled %llu, unknown %llu, out of order %llu times, "
        "%llu lines late, unreadable objects %llu\n",
        ull(missing_.count), ull(duplicated_.count), ull(mangled_.count), ull(unknown_.count),
        ull(disorder_.count), ull(late_), ull(unreadable_.count));
    for (const Offenders* o :
         {&missing_, &duplicated_, &mangled_, &unknown_, &disorder_, &unreadable_})
      for (const std::string& text : o->shown) std::printf("  %s\n", text.c_str());
    const bool wrong = (missing_.count && !options_.allow_missing) ||
                       (duplicated_.count && !options_.allow_duplicates) || mangled_.count ||
                       unknown_.count || (disorder_.count && options_.in_order);
    return wrong ? 1 : unreadable_.count ? 2 : 0;
  }

 private:
  struct Offenders {
    std::uint64_t count = 0;
    std::vector<std::string> shown;
  };

  static unsigned long long ull(std::uint64_t n) { return n; }

  void note(Offenders& o, const std::string& text) {
    ++o.count;
    if (o.shown.size() < options_.show) o.shown.push_back(text);
  }
  void unreadable(const std::string& why) {
    note(unreadable_, "unreadable: " + objects_.back() + ": " + why);
  }
  std::string label(std::uint64_t n) const { return needle_ + std::to_string(n); }

  void check(std::string_view raw) {
    bytes_ += raw.size() + 1;
    std::string unescaped;
    std::string_view line = raw;
    if (json_) line = unescaped = json_string_with(raw, needle_);
    const auto n = gateway::find_id(expected_.line.run, line);
    if (!n || *n < expected_.first || *n - expected_.first >= seen_.size())
      return note(unknown_,
                  "unknown line in " + objects_.back() + ": " + std::string(raw.substr(0, 160)));
    const std::uint64_t i = *n - expected_.first;
    ++delivered_;
    wanted_.clear();
    gateway::append_line(expected_.line, *n, wanted_);
    if (line != wanted_ && !(json_ && line.find("\xEF\xBF\xBD") != std::string_view::npos))
      note(mangled_, "mangled: " + label(*n) + " in " + objects_.back() + ": " +
                         std::to_string(line.size()) + " bytes for " +
                         std::to_string(wanted_.size()));
    if (any_ && *n < last_)
      note(disorder_, "out of order: " + label(*n) + " after " + std::to_string(last_) + " in " +
                          objects_.back());
    if (*n < highest_) ++late_;
    last_ = *n;
    highest_ = std::max(highest_, *n);
    any_ = true;
    if (seen_[i] & kSeen)
      note(duplicated_,
           "duplicated: " + label(*n) + " in " + objects_[where_[i]] + " and " + objects_.back());
    else
      seen_[i] |= kSeen, where_[i] = static_cast<std::uint32_t>(objects_.size() - 1);
  }

  // Consecutive missing lines are one offender, with the objects around the gap.
  void missing() {
    const std::uint64_t end = expected_.lines;
    for (std::uint64_t i = 0; i < end; ++i) {
      if (seen_[i] & kMayBeMissing) ++in_windows_;
      if (seen_[i] == kMayBeMissing) ++lost_in_windows_;
    }
    for (std::uint64_t i = 0; i < end;) {
      if (seen_[i]) {
        ++i;
        continue;
      }
      const std::uint64_t begin = i;
      while (i < end && !seen_[i]) ++i;
      std::string text = "missing: " + label(expected_.first + begin);
      if (i - begin > 1)
        text += " to " + std::to_string(expected_.first + i - 1) + " (" +
                std::to_string(i - begin) + " lines)";
      if (begin > 0 && seen_[begin - 1] & kSeen) text += ", after " + objects_[where_[begin - 1]];
      if (i < end && seen_[i] & kSeen) text += ", before " + objects_[where_[i]];
      note(missing_, text);
      missing_.count += i - begin - 1;
    }
  }

  enum : std::uint8_t { kSeen = 1, kMayBeMissing = 2 };

  const Options& options_;
  const Expected& expected_;
  const std::string needle_;
  std::vector<std::uint8_t> seen_;
  std::vector<std::uint32_t> where_;  // the object that brought a line first
  std::vector<std::string> objects_;
  bool json_ = false, any_ = false;
  std::uint64_t delivered_ = 0, bytes_ = 0, stored_ = 0;
  std::uint64_t last_ = 0, highest_ = 0;  // numbers of the lines before
  std::uint64_t late_ = 0;                // lines behind one of a higher number
  std::uint64_t in_windows_ = 0, lost_in_windows_ = 0;
  std::string wanted_;
  Offenders missing_, duplicated_, mangled_, unknown_, disorder_, unreadable_;
};

bool read_manifest(const std::string& path, Expected& expected) {
  std::ifstream in(path);
  std::string text, counts;
  if (!std::getline(in, text) || !std::getline(in, counts)) return false;
  const auto line = from_text(text);
  unsigned long long first = 0, lines = 0;
  if (!line || std::sscanf(counts.c_str(), "first=%llu lines=%llu", &first, &lines) != 2)
    return false;
  expected = {*line, first, lines, {}};
  while (std::getline(in, text)) {
    unsigned long long from = 0, to = 0;
    if (std::sscanf(text.c_str(), "window=%llu-%llu", &from, &to) != 2 || from < first ||
        to < from || to >= first + lines)
      return false;
    expected.windows.emplace_back(from, to);
  }
  return true;
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 < argc) return argv[++i];
      std::fprintf(stderr, "check_lines: %s wants a value\n", a.c_str());
      std::exit(2);
    };
    if (a == "--help")
      std::fputs(kHelp, stdout), std::exit(0);
    else if (a == "--manifest")
      o.manifest = value();
    else if (a == "--identity")
      o.identity = value();
    else if (a == "--show")
      o.show = std::strtoull(value().c_str(), nullptr, 10);
    else if (a == "--extra")
      o.extra = std::strtoull(value().c_str(), nullptr, 10);
    else if (a == "--in-order")
      o.in_order = true;
    else if (a == "--allow-missing")
      o.allow_missing = true;
    else if (a == "--allow-duplicates")
      o.allow_duplicates = true;
    else if (a.starts_with("--"))
      std::fprintf(stderr, "check_lines: %s is unknown; see --help\n", a.c_str()), std::exit(2);
    else
      o.paths.push_back(a);
  }
  if (o.manifest.empty() || o.paths.empty()) std::fputs(kHelp, stderr), std::exit(2);
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  Expected expected;
  if (!read_manifest(options.manifest, expected)) {
    std::fprintf(stderr, "check_lines: %s is not a manifest of gateway_log\n",
                 options.manifest.c_str());
    return 2;
  }
  Checker checker(options, expected);
  for (const std::string& object : find_objects(options.paths)) checker.object(object);
  return checker.report();
}
