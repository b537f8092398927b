#include "sinks/splunk/hec_events.h"

#include <fmt/format.h>

#include "agent/base/text.h"
#include "sinks/aws/uri.h"
#include "sinks/events/json_text.h"

namespace edgehose {
namespace {

// `"host":"gw-1",`; nothing of what is empty.
std::string member_json(std::string_view name, std::string_view value) {
  std::string out;
  if (value.empty()) return out;
  append_json_text(name, out);
  out.push_back(':');
  append_json_text(value, out);
  out.push_back(',');
  return out;
}

}  // namespace

EventObjects::EventObjects(std::shared_ptr<const EventOptions> options, const Batch& batch)
    : options_(std::move(options)),
      source_(batch.source),
      fields_(options_->context, batch.epoch, batch.source),
      members_(members()) {}

std::vector<EventObjects::Member> EventObjects::members() const {
  const EventTexts& texts = options_->texts;
  std::vector<Member> all;
  if (texts.source) all.push_back(member("source", *texts.source));
  all.push_back(member("host", texts.host));
  all.push_back(member("sourcetype", texts.sourcetype));
  all.push_back(member("index", texts.index));
  return all;
}

EventObjects::Member EventObjects::member(std::string_view name, const EventText& text) {
  if (!text.fixed()) return {name, &text, std::nullopt};
  return {name, &text, member_json(name, text.text({}, nullptr))};
}

void EventObjects::append(const Record& record, std::string_view file, std::string& out) {
  if (blank(record.body)) return;
  const bool read = options_->format == EventFormat::kJson && json_.read(record.body);
  const JsonLine* const json = read ? &json_ : nullptr;
  out.push_back('{');
  const bool timed = json != nullptr && !options_->time_field.empty();
  const auto own = timed ? json->time(options_->time_field) : std::nullopt;
  append_time(own.value_or(record.time), out);
  if (!options_->texts.source) append_source(file, out);
  for (const Member& each : members_)
    out += each.json ? *each.json : member_json(each.name, each.text->text(record, json));
  out += "\"event\":";
  if (json != nullptr && !json->empty())
    out.append("{").append(json->rest());
  else
    append_json_text(record.body, out);
  out.push_back(',');
  fields_.append(record, out);
  out += "}\n";
}

// What is before 1970 is no time there: the server says when it got it.
void EventObjects::append_time(WallTime time, std::string& out) {
  constexpr std::int64_t kMilli = 1'000'000;
  if (time_ != time) {
    const std::int64_t millis = time.value / kMilli;
    time_json_ =
        time.value < 0 ? "" : fmt::format("\"time\":{}.{:03},", millis / 1000, millis % 1000);
    time_ = time;
  }
  out += time_json_;
}

void EventObjects::append_source(std::string_view file, std::string& out) {
  if (file_ != file) {
    file_json_ = member_json("source", file.empty() ? source_ : file);
    file_ = file;
  }
  out += file_json_;
}

void RawLines::append(const Record& record, std::string_view, std::string& out) {
  if (blank(record.body)) return;
  out.append(record.body).push_back('\n');
}

std::string raw_query(const EventOptions& options, const std::string& source) {
  const EventTexts& texts = options.texts;
  std::string query;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    query += query.empty() ? '?' : '&';
    query.append(name).append("=").append(aws::uri_encode(value, aws::Slash::kEncoded));
  };
  const Record none{};
  add("host", texts.host.text(none, nullptr));
  add("source", texts.source ? texts.source->text(none, nullptr) : source);
  add("sourcetype", texts.sourcetype.text(none, nullptr));
  add("index", texts.index.text(none, nullptr));
  return query;
}

}  // namespace edgehose
