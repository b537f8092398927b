#include "sinks/elasticsearch/documents.h"

#include <charconv>

#include "agent/base/clock.h"
#include "sinks/object/record_format.h"

namespace edgehose {
namespace {

std::optional<WallTime> cut_of(std::string_view rendering) {
  if (!rendering.starts_with(kCutRendering)) return std::nullopt;
  rendering.remove_prefix(kCutRendering.size());
  WallTime cut;
  const char* const end = rendering.data() + rendering.size();
  const auto read = std::from_chars(rendering.data(), end, cut.value);
  return read.ec == std::errc() && (read.ptr == end || *read.ptr == ' ') ? std::optional(cut)
                                                                         : std::nullopt;
}

}  // namespace

DocumentWriter::DocumentWriter(std::shared_ptr<const DocumentOptions> options, const Batch& batch)
    : options_(std::move(options)),
      cut_(cut_of(batch.claim.rendering)),
      ids_(options_->context.agent, batch.epoch, batch.source),
      fields_(options_->context, batch.source) {}

void DocumentWriter::append(const Record& record, std::string_view file, std::string& out) {
  append_action(record, out);
  if (options_->format == DocumentFormat::kJson && json_.read(record.body))
    append_object(record, file, out);
  else
    append_line(record, file, out);
  out.push_back('\n');
}

void DocumentWriter::append_action(const Record& record, std::string& out) {
  out += "{\"create\":{";
  if (options_->ids) {
    out += "\"_id\":\"";
    ids_.append(record.sequence, out);
    out.push_back('"');
  }
  if (options_->index) {
    const WallTime time = is_plausible(record.time) ? record.time : cut_.value_or(record.time);
    if (index_time_ != time) index_ = options_->index->at(time);
    index_time_ = time;
    out += options_->ids ? ",\"_index\":\"" : "\"_index\":\"";
    append_json_escaped(index_, out);
    out.push_back('"');
  }
  out += "}}\n";
}

void DocumentWriter::append_line(const Record& record, std::string_view file, std::string& out) {
  out += "{\"@timestamp\":\"";
  append_time(record.time, out);
  out += "\",\"message\":\"";
  append_json_escaped(record.body, out);
  out.push_back('"');
  fields_.append(record, file, 0, out);
  out.push_back('}');
}

void DocumentWriter::append_object(const Record& record, std::string_view file, std::string& out) {
  DocumentFields::Roots taken = 0;
  bool has_time = false;
  json_.each_key([&](std::string_view key) {
    has_time = has_time || key == "@timestamp";
    taken |= fields_.root_of(key);
  });
  const std::size_t begin = out.size();
  out.push_back('{');
  if (!has_time) {
    const auto time =
        options_->time_field.empty() ? std::nullopt : json_.time(options_->time_field);
    out += ",\"@timestamp\":\"";
    append_time(time.value_or(record.time), out);
    out.push_back('"');
  }
  fields_.append(record, file, taken, out);
  // Each of them has a ',' in front: the first one's goes.
  const bool added = out.size() > begin + 1;
  if (added) out.erase(begin + 1, 1);
  if (added && !json_.empty()) out.push_back(',');
  out += json_.rest();
}

void DocumentWriter::append_time(WallTime time, std::string& out) {
  if (time_ != time) {
    time_text_.clear();
    append_rfc3339(time, time_text_);
    time_ = time;
  }
  out += time_text_;
}

}  // namespace edgehose
