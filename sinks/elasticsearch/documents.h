// DocumentWriter: a record as the two lines of a bulk request: what to create, and the document.
//
//   lines   the record's text is `message`, beside the fields of ECS
//   json    a line that is a JSON object is the document, unparsed, with the fields that it lacks
//           in front; where it has one of their names at its top (`host`), what is below it is its
//           own. Any other line as above.
//
// @timestamp is the document's own; else what time_field holds; else when the record was read.
//
// Into an index by time a record goes by its own; one that was read before this machine's clock was
// set, by when its batch was cut, as its claim says.
//
// Threading: one thread, for one batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/elasticsearch/document_fields.h"
#include "sinks/elasticsearch/index_name.h"
#include "sinks/events/event_body.h"
#include "sinks/events/json_line.h"
#include "sinks/events/record_ids.h"

namespace edgehose {

enum class DocumentFormat { kLines, kJson };

struct DocumentOptions {
  EventContext context;
  DocumentFormat format = DocumentFormat::kLines;
  std::string time_field;  // empty: none
  bool ids = true;
  std::optional<IndexName> index;  // named with each document; none: the request names it
};

// What a claim's rendering says of when it was cut, in nanoseconds since 1970, before where it
// went: "bulk cut=17... to=..."
constexpr std::string_view kCutRendering = "bulk cut=";

class DocumentWriter final : public EventWriter {
 public:
  DocumentWriter(std::shared_ptr<const DocumentOptions> options, const Batch& batch);
  void append(const Record& record, std::string_view file, std::string& out) override;

 private:
  void append_action(const Record& record, std::string& out);
  void append_line(const Record& record, std::string_view file, std::string& out);
  void append_object(const Record& record, std::string_view file, std::string& out);
  void append_time(WallTime time, std::string& out);

  const std::shared_ptr<const DocumentOptions> options_;
  const std::optional<WallTime> cut_;
  const RecordIds ids_;
  const DocumentFields fields_;
  JsonLine json_;
  // Of the last record: most of those that follow each other were read at one time.
  std::optional<WallTime> time_, index_time_;
  std::string time_text_, index_;
};

}  // namespace edgehose
