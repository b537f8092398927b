#include "sinks/splunk/hec_events.h"

#include <fmt/format.h>

#include <iterator>

#include "agent/base/text.h"
#include "sinks/aws/uri.h"
#include "sinks/events/json_text.h"

namespace edgehose {
namespace {

// What is before 1970 is no time there: the server says when it got it.
void append_time(WallTime time, std::string& out) {
  constexpr std::int64_t kMilli = 1'000'000;
  if (time.value < 0) return;
  const std::int64_t millis = time.value / kMilli;
  fmt::format_to(std::back_inserter(out), "\"time\":{}.{:03},", millis / 1000, millis % 1000);
}

}  // namespace

EventObjects::EventObjects(std::shared_ptr<const EventOptions> options, const Batch& batch)
    : options_(std::move(options)),
      source_(batch.source),
      fields_(options_->context, batch.epoch, batch.source) {}

void EventObjects::append(const Record& record, std::string_view file, std::string& out) {
  if (blank(record.body)) return;
  const bool read = options_->format == EventFormat::kJson && json_.read(record.body);
  const JsonLine* const json = read ? &json_ : nullptr;
  const EventTexts& texts = options_->texts;
  out.push_back('{');
  const bool timed = json != nullptr && !options_->time_field.empty();
  const auto own = timed ? json->time(options_->time_field) : std::nullopt;
  append_time(own.value_or(record.time), out);
  append_member("host", texts.host.text(record, json), out);
  append_member("source", source_of(record, file, json), out);
  append_member("sourcetype", texts.sourcetype.text(record, json), out);
  append_member("index", texts.index.text(record, json), out);
  out += "\"event\":";
  if (json != nullptr && !json->empty())
    out.append("{").append(json->rest());
  else
    append_json_text(record.body, out);
  out.push_back(',');
  fields_.append(record, out);
  out += "}\n";
}

void EventObjects::append_member(std::string_view name, const std::string& value,
                                 std::string& out) {
  if (value.empty()) return;
  append_json_text(name, out);
  out.push_back(':');
  append_json_text(value, out);
  out.push_back(',');
}

std::string EventObjects::source_of(const Record& record, std::string_view file,
                                    const JsonLine* json) const {
  if (options_->texts.source) return options_->texts.source->text(record, json);
  return file.empty() ? source_ : std::string(file);
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
