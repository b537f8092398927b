#include "sinks/splunk/hec_answer.h"

#include <fmt/format.h>

#include <charconv>

#include "agent/base/json.h"
#include "sinks/events/printable.h"
#include "sinks/splunk/hec_codes.h"

namespace edgehose {
namespace {

constexpr std::size_t kShownBytes = 200;
constexpr std::size_t kReadBytes = 64 << 10;

constexpr int kIncorrectIndex = 7;

Json parse(const HttpResponse& answer) {
  const std::string_view text = answer.body;
  return Json::parse(text.substr(0, kReadBytes), nullptr, false);
}

std::optional<std::uint64_t> number_at(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

// Of the code 7 servers count from 1, of all others from 0; the documentation counts from 0. Where
// one does so of 7 too, the event before the one that is meant is taken for it.
std::optional<std::uint64_t> invalid_event_of(const Json& json, std::optional<int> code) {
  const auto number = number_at(json, "invalid-event-number");
  if (code != kIncorrectIndex || !number) return number;
  if (*number == 0) return std::nullopt;
  return *number - 1;
}

std::optional<std::uint64_t> id_of(const std::string& text) {
  std::uint64_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return id;
}

std::string compose(const HttpResponse& answer, const HecAnswer& hec, std::string_view text,
                    std::string_view advice) {
  std::string words = fmt::format("the server answers {}", answer.status);
  if (hec.code) words += fmt::format(", code {}", *hec.code);
  if (!text.empty()) words += fmt::format(" ({})", text);
  if (hec.invalid_event) words += fmt::format(", of event {}", *hec.invalid_event);
  if (!hec.code && answer.status != 413)
    words += ", not in a Splunk's words: it may be of something between here and there";
  if (!advice.empty()) words += fmt::format("; {}", advice);
  return words;
}

}  // namespace

HecAnswer read_hec_answer(const HttpResponse& answer) {
  HecAnswer hec;
  const Json json = parse(answer);
  if (!json.is_object()) return hec;
  constexpr std::uint64_t kMostCodes = 100'000;
  if (const auto code = number_at(json, "code"); code && *code < kMostCodes)
    hec.code = static_cast<int>(*code);
  if (const auto text = json.find("text"); text != json.end() && text->is_string())
    hec.text = printable(text->get_ref<const std::string&>(), kShownBytes);
  hec.ack_id = number_at(json, "ackId");
  hec.invalid_event = invalid_event_of(json, hec.code);
  return hec;
}

std::optional<std::map<std::uint64_t, bool>> read_acks(const HttpResponse& answer) {
  if (!answer.succeeded()) return std::nullopt;
  const Json json = parse(answer);
  if (!json.is_object()) return std::nullopt;
  const auto acks = json.find("acks");
  if (acks == json.end() || !acks->is_object()) return std::nullopt;
  std::map<std::uint64_t, bool> told;
  for (const auto& [name, value] : acks->items()) {
    const auto id = id_of(name);
    if (!id || !value.is_boolean()) return std::nullopt;
    told[*id] = value.get<bool>();
  }
  return told;
}

std::string words_of(const HttpResponse& answer, const HecAnswer& hec, std::string_view advice) {
  const HecRule* const rule = hec.code ? hec_rule(*hec.code) : nullptr;
  return compose(answer, hec, rule != nullptr ? rule->words : "", advice);
}

std::string server_words_of(const HttpResponse& answer, const HecAnswer& hec,
                            std::string_view advice) {
  return compose(answer, hec, hec.text, advice);
}

}  // namespace edgehose
