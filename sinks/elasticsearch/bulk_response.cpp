#include "sinks/elasticsearch/bulk_response.h"

#include <simdjson.h>

#include "buffer/state.h"
#include "sinks/elasticsearch/json_scanner.h"
#include "sinks/events/printable.h"

namespace edgehose {

const char* const kBulkFilter =
    "took,errors,items.*._id,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.error.caused_by.reason";
const char* const kBulkIndexFilter = ",items.*._index";

namespace {

namespace ondemand = simdjson::ondemand;

// From here on a reason repeats what the record holds, which the log is not to have, and the dead
// letter has anyway.
std::string_view without_record(std::string_view reason) {
  for (const std::string_view mark : {" Preview of field's value: ", "For input string: ",
                                      " The prefix of the first immense term is: "})
    reason = reason.substr(0, reason.find(mark));
  return reason;
}

// A value that is not there, or is no text (null), is none.
std::optional<std::string> text_of(ondemand::value value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

// {"type":..., "reason":..., "caused_by":{"reason":...}}
bool read_error(ondemand::object error, BulkItem& item) {
  std::string reason, cause;
  for (auto field : error) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS)
      return false;
    if (name == "type") item.type = text_of(value).value_or("");
    if (name == "reason") reason = text_of(value).value_or("");
    if (ondemand::object inner; name == "caused_by" && value.get(inner) == simdjson::SUCCESS) {
      ondemand::value words;
      if (inner["reason"].get(words) == simdjson::SUCCESS) cause = text_of(words).value_or("");
    }
  }
  reason = without_record(reason);
  cause = without_record(cause);
  if (!cause.empty()) reason += (reason.empty() ? "" : "; ") + cause;
  item.type = printable(item.type, kMaxDeadLetterReason / 4);
  item.reason = printable(reason, kMaxDeadLetterReason);
  return true;
}

bool read_result(ondemand::object result, BulkItem& item) {
  for (auto field : result) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS)
      return false;
    if (name == "_id") item.id = text_of(value);
    if (name == "_index") item.index = text_of(value).value_or("");
    std::int64_t status = 0;
    if (name == "status" && value.get(status) == simdjson::SUCCESS && status > 0 && status < 1000)
      item.status = static_cast<int>(status);
    if (name != "error") continue;
    // Old servers say it in words.
    if (ondemand::object error; value.get(error) == simdjson::SUCCESS) {
      if (!read_error(error, item)) return false;
    } else {
      item.reason = printable(text_of(value).value_or(""), kMaxDeadLetterReason);
    }
  }
  return true;
}

// {"create":{...}}: one member, whose name is the action's.
bool read_item(ondemand::parser& parser, const simdjson::padded_string& text, BulkItem& item) {
  ondemand::document document;
  ondemand::object outer, result;
  if (parser.iterate(text).get(document) != simdjson::SUCCESS ||
      document.get_object().get(outer) != simdjson::SUCCESS)
    return false;
  std::size_t actions = 0;
  for (auto field : outer) {
    if (++actions > 1 || field.value().get(result) != simdjson::SUCCESS ||
        !read_result(result, item))
      return false;
  }
  return actions == 1;
}

}  // namespace

Status read_bulk_items(std::string_view answer, const std::function<void(BulkItem)>& take) {
  ondemand::parser parser;
  return for_each_element(answer, "items", [&](std::string_view element) -> Status {
    BulkItem item;
    if (!read_item(parser, simdjson::padded_string(element), item))
      return fail(ErrorCode::kInvalid, "an item is not what a bulk answer has");
    take(std::move(item));
    return {};
  });
}

}  // namespace edgehose
