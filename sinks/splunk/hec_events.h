// Records as the bodies of requests to an HTTP Event Collector.
//
//   lines   {"time":1763861040.123,"host":"gw-1","source":"/a.log","event":"text","fields":{..}}
//   json    the same, but a line that is a JSON object is the event itself, as it is
//   raw     the lines as they are; what is said of them is said by the request
//
// time is when the record was read, or with json what time_field holds: seconds with three
// decimals. Lines of nothing but white space are left out: there are no empty events.
//
// Source:
// https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
// Threading: one thread, for one batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/events/event_body.h"
#include "sinks/events/json_line.h"
#include "sinks/splunk/event_fields.h"
#include "sinks/splunk/event_text.h"

namespace edgehose {

enum class EventFormat { kLines, kJson, kRaw };

// Of an event; one that is empty is left out.
struct EventTexts {
  EventText host;                   // none of the config's: the machine's name
  std::optional<EventText> source;  // none: the file's path, else the source's name
  EventText sourcetype;
  EventText index;
};

struct EventOptions {
  EventContext context;
  EventFormat format = EventFormat::kLines;
  std::string time_field;  // empty: none
  EventTexts texts;
};

class EventObjects final : public EventWriter {
 public:
  EventObjects(std::shared_ptr<const EventOptions> options, const Batch& batch);
  void append(const Record& record, std::string_view file, std::string& out) override;

 private:
  // A member of the event; of one that is the same for all its JSON is kept.
  struct Member {
    std::string_view name;
    const EventText* text;  // of the options
    std::optional<std::string> json;
  };
  static Member member(std::string_view name, const EventText& text);
  std::vector<Member> members() const;
  void append_time(WallTime time, std::string& out);
  void append_source(std::string_view file, std::string& out);

  const std::shared_ptr<const EventOptions> options_;
  const std::string source_;  // of the batch
  const EventFields fields_;
  const std::vector<Member> members_;
  JsonLine json_;
  // Of the last record: most of those that follow each other are of one file and one time.
  std::optional<WallTime> time_;
  std::optional<std::string> file_;
  std::string time_json_, file_json_;
};

class RawLines final : public EventWriter {
 public:
  void append(const Record& record, std::string_view file, std::string& out) override;
};

// "?host=gw-1&source=app": what a raw request says of its lines.
std::string raw_query(const EventOptions& options, const std::string& source);

}  // namespace edgehose
