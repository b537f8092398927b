#include "agent/run/control.h"

#include <algorithm>
#include <array>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.emplace_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
}

tl::unexpected<Error> wrong(std::string_view what) {
  return fail(
      ErrorCode::kInvalid,
      "{}; one of: status, reload, confirm SINK, forget sink SINK, forget source SOURCE, forget lane SINK "
      "SOURCE, forget positions, upgrade, dead-letters replay|purge [sink=SINK] all|ID...",
      what);
}

constexpr std::string_view kSinkWord = "sink=";

Result<LetterSelection> parse_selection(const std::vector<std::string>& words, std::size_t at) {
  LetterSelection which;
  if (at < words.size() && words[at].starts_with(kSinkWord))
    which.sink = words[at++].substr(kSinkWord.size());
  if (at + 1 == words.size() && words[at] == "all") return which;
  for (; at < words.size(); ++at) {
    const auto id = parse_number(words[at]);
    if (!id) return wrong("\"" + words[at] + "\" is no number");
    which.ids.push_back(*id);
  }
  if (which.ids.empty() || which.ids.size() > LetterSelection::kMaxIds)
    return wrong(fmt::format("all, or 1 to {} numbers of dead letters", LetterSelection::kMaxIds));
  return which;
}

std::string selection_words(const LetterSelection& which) {
  std::string out;
  if (!which.sink.empty()) out += fmt::format(" {}{}", kSinkWord, which.sink);
  if (which.ids.empty()) return out + " all";
  for (const std::uint64_t id : which.ids) out += fmt::format(" {}", id);
  return out;
}

struct Words {
  std::string operator()(const ConfirmSink& c) const { return "confirm " + c.sink; }
  std::string operator()(const ForgetSink& c) const { return "forget sink " + c.sink; }
  std::string operator()(const ForgetLane& c) const {
    return fmt::format("forget lane {} {}", c.sink, c.source);
  }
  std::string operator()(const ForgetSource& c) const { return "forget source " + c.source; }
  std::string operator()(const ForgetPositions&) const { return "forget positions"; }
  std::string operator()(const UpgradeBuffer&) const { return "upgrade"; }
  std::string operator()(const ReplayLetters& c) const {
    return "dead-letters replay" + selection_words(c.which);
  }
  std::string operator()(const PurgeLetters& c) const {
    return "dead-letters purge" + selection_words(c.which);
  }
};

struct NameOf {
  std::string operator()(const ConfirmSink& c) const { return c.sink; }
  std::string operator()(const ForgetSink& c) const { return c.sink; }
  std::string operator()(const ForgetLane& c) const {
    return c.sink.empty() || c.source.empty() ? "" : c.sink + c.source;
  }
  std::string operator()(const ForgetSource& c) const { return c.source; }
  std::string operator()(const ForgetPositions&) const { return "-"; }
  std::string operator()(const UpgradeBuffer&) const { return "-"; }
  std::string operator()(const ReplayLetters& c) const {
    return std::string(kSinkWord) + c.which.sink;
  }
  std::string operator()(const PurgeLetters& c) const {
    return std::string(kSinkWord) + c.which.sink;
  }
};

constexpr std::array kCodes = {
    ErrorCode::kInvalid, ErrorCode::kNotFound,    ErrorCode::kPermission, ErrorCode::kIo,
    ErrorCode::kFull,    ErrorCode::kCorrupt,     ErrorCode::kBusy,       ErrorCode::kUnsupported,
    ErrorCode::kAuth,    ErrorCode::kUnavailable, ErrorCode::kCancelled};

ErrorCode code_named(const std::string& text) {
  const auto found = std::ranges::find_if(kCodes, [&](ErrorCode c) { return name(c) == text; });
  return found == kCodes.end() ? ErrorCode::kIo : *found;
}

}  // namespace

Result<ControlRequest> parse_request(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  const auto is = [&](std::size_t count, std::string_view first, std::string_view second = {}) {
    return words.size() == count && words[0] == first && (second.empty() || words[1] == second);
  };
  if (words.empty() || is(1, "status")) return StatusRequest{};
  if (is(1, "reload")) return ReloadRequest{};
  if (is(2, "confirm")) return ControlChange(ConfirmSink{words[1]});
  if (is(3, "forget", "sink")) return ControlChange(ForgetSink{words[2]});
  if (is(4, "forget", "lane")) return ControlChange(ForgetLane{words[2], words[3]});
  if (is(3, "forget", "source")) return ControlChange(ForgetSource{words[2]});
  if (is(1, "upgrade")) return ControlChange(UpgradeBuffer{});
  if (is(2, "forget", "positions")) return ControlChange(ForgetPositions{});
  if (words.size() > 2 && words[0] == "dead-letters" &&
      (words[1] == "replay" || words[1] == "purge")) {
    EH_ASSIGN(LetterSelection which, parse_selection(words, 2));
    return words[1] == "replay" ? ControlChange(ReplayLetters{std::move(which)})
                                : ControlChange(PurgeLetters{std::move(which)});
  }
  return wrong("the agent does not know this request");
}

Result<std::string> request_line(const ControlChange& change) {
  const std::string name = std::visit(NameOf{}, change);
  if (!is_word(name))
    return fail(ErrorCode::kInvalid, "\"{}\" is no name of a sink or source", name);
  return std::visit(Words{}, change) + "\n";
}

std::string described(const ControlChange& change) {
  std::string words = std::visit(Words{}, change);
  if (words.size() > kMaxDescribed) words = words.substr(0, kMaxDescribed - 3) + "...";
  return words;
}

std::string answer_json(const Result<ChangeReport>& outcome) {
  Json json;
  json["ok"] = outcome.has_value();
  if (outcome) {
    json["text"] = outcome->text;
    json["records"] = outcome->records;
    json["more"] = outcome->more;
    if (!outcome->problem.empty()) json["problem"] = outcome->problem;
  } else {
    json["code"] = name(outcome.error().code);
    json["error"] = outcome.error().message;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ChangeReport> parse_answer(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const auto string = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>()
                                                       : std::string();
  };
  if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean())
    return fail(ErrorCode::kInvalid,
                "the agent answered with something else: is it an older release?");
  if (!json["ok"].get<bool>()) return fail(code_named(string("code")), "{}", string("error"));
  ChangeReport report;
  report.text = string("text");
  report.problem = string("problem");
  if (json.contains("records") && json["records"].is_number_unsigned())
    report.records = json["records"].get<std::uint64_t>();
  report.more = json.contains("more") && json["more"].is_boolean() && json["more"].get<bool>();
  return report;
}

}  // namespace edgehose
