// StatusReport to JSON and back. Durations are seconds, instants RFC 3339 in UTC, counters objects.
#include <cstdio>
#include <ctime>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/run/status_report.h"

namespace edgehose {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Whole milliseconds, so that a value survives the way through a decimal fraction.
Duration from_seconds(double s) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(s * 1000.0 + (s < 0 ? -0.5 : 0.5)));
}

Json time_json(WallTime time) {
  return time.value == 0 ? Json(nullptr) : Json(format_wall_ms(time));
}

WallTime time_from(const Json& json) {
  if (!json.is_string()) return WallTime{};
  tm parts{};
  int millisecond = 0;
  const auto text = json.get<std::string>();
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &millisecond) != 7)
    return WallTime{};
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return WallTime((static_cast<std::int64_t>(timegm(&parts)) * 1000 + millisecond) * 1'000'000);
}

Json counter_json(const Counter& counter) {
  return {{"records", counter.records}, {"bytes", counter.bytes}};
}

Counter counter_from(const Json& json) {
  return {json.at("records").get<std::uint64_t>(), json.at("bytes").get<std::uint64_t>()};
}

Json wire_json(const WireBytes& bytes) {
  return {{"sent", bytes.sent}, {"received", bytes.received}};
}

WireBytes wire_from(const Json& json) {
  return {json.at("sent").get<std::uint64_t>(), json.at("received").get<std::uint64_t>()};
}

Json optional_seconds(const std::optional<Duration>& duration) {
  return duration ? Json(seconds(*duration)) : Json(nullptr);
}

std::optional<Duration> seconds_or_none(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  return from_seconds(json.get<double>());
}

Json optional_number(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

std::optional<double> number_or_none(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  return json.get<double>();
}

Json source_json(const SourceReport& s) {
  return {{"name", s.name},
          {"configured", s.configured},
          {"files", s.files},
          {"read", counter_json(s.read)},
          {"committed", counter_json(s.committed)},
          {"not_taken", counter_json(s.not_taken)},
          {"behind_bytes", s.behind_bytes},
          {"copied_bytes", s.copied_bytes},
          {"truncated_records", s.truncated_records},
          {"lost_bytes", s.lost_bytes},
          {"problem", s.problem}};
}

SourceReport source_from(const Json& j) {
  SourceReport s;
  j.at("name").get_to(s.name);
  j.at("configured").get_to(s.configured);
  j.at("files").get_to(s.files);
  s.read = counter_from(j.at("read"));
  s.committed = counter_from(j.at("committed"));
  s.not_taken = counter_from(j.at("not_taken"));
  j.at("behind_bytes").get_to(s.behind_bytes);
  s.copied_bytes = j.value("copied_bytes", s.copied_bytes);
  j.at("truncated_records").get_to(s.truncated_records);
  j.at("lost_bytes").get_to(s.lost_bytes);
  j.at("problem").get_to(s.problem);
  return s;
}

Json drops_json(const Drops& drops) {
  Json json = Json::object();
  for (std::size_t i = 0; i < drops.size(); ++i)
    json[std::string(name(static_cast<DropReason>(i)))] = counter_json(drops[i]);
  return json;
}

Drops drops_from(const Json& json) {
  Drops drops{};
  for (std::size_t i = 0; i < drops.size(); ++i) {
    const auto it = json.find(std::string(name(static_cast<DropReason>(i))));
    if (it != json.end()) drops[i] = counter_from(*it);
  }
  return drops;
}

Json sink_json(const SinkReport& s) {
  return {{"name", s.name},
          {"configured", s.configured},
          {"state", s.state},
          {"backlog", counter_json(s.backlog)},
          {"oldest_age_seconds", optional_seconds(s.oldest_age)},
          {"claims", s.claims},
          {"in_flight", s.in_flight},
          {"queued", s.queued},
          {"unacknowledged", s.unacknowledged},
          {"delivered", counter_json(s.delivered)},
          {"dead_lettered", counter_json(s.dead_lettered)},
          {"oldest_dead_letter", time_json(s.oldest_dead_letter)},
          {"replaying", s.replaying},
          {"dropped", drops_json(s.dropped)},
          {"possible_duplicates", s.possible_duplicates},
          {"sent_objects", s.sent_objects},
          {"sent_bytes", s.sent_bytes},
          {"retries", s.retries},
          {"wire_bytes",
           {{"today", wire_json(s.wire_today)},
            {"this_month", wire_json(s.wire_this_month)},
            {"ever", wire_json(s.wire_ever)}}},
          {"failed_attempts_in_a_row", s.failed_in_a_row},
          {"last_error", s.last_error},
          {"error_since", time_json(s.error_since)},
          {"past_error", s.past_error},
          {"past_error_at", time_json(s.past_error_at)},
          {"last_delivery", time_json(s.last_delivery)},
          {"next_attempt_in_seconds", optional_seconds(s.next_attempt_in)},
          {"next_batch_in_seconds", optional_seconds(s.next_batch_in)},
          {"call", s.call},
          {"call_seconds", seconds(s.call_for)}};
}

SinkReport sink_from(const Json& j) {
  SinkReport s;
  j.at("name").get_to(s.name);
  j.at("configured").get_to(s.configured);
  j.at("state").get_to(s.state);
  s.backlog = counter_from(j.at("backlog"));
  s.oldest_age = seconds_or_none(j.at("oldest_age_seconds"));
  j.at("claims").get_to(s.claims);
  s.in_flight = j.value("in_flight", std::uint64_t{0});
  s.queued = j.value("queued", std::uint64_t{0});
  s.unacknowledged = j.value("unacknowledged", std::uint64_t{0});
  s.delivered = counter_from(j.at("delivered"));
  s.dead_lettered = counter_from(j.at("dead_lettered"));
  if (j.contains("oldest_dead_letter"))
    s.oldest_dead_letter = time_from(j.at("oldest_dead_letter"));
  s.replaying = j.value("replaying", std::uint64_t{0});
  s.dropped = drops_from(j.at("dropped"));
  j.at("possible_duplicates").get_to(s.possible_duplicates);
  j.at("sent_objects").get_to(s.sent_objects);
  j.at("sent_bytes").get_to(s.sent_bytes);
  j.at("retries").get_to(s.retries);
  if (const auto wire = j.find("wire_bytes"); wire != j.end()) {
    s.wire_today = wire_from(wire->at("today"));
    s.wire_this_month = wire_from(wire->at("this_month"));
    s.wire_ever = wire_from(wire->at("ever"));
  }
  s.failed_in_a_row = j.value("failed_attempts_in_a_row", std::uint64_t{0});
  j.at("last_error").get_to(s.last_error);
  s.error_since = time_from(j.at("error_since"));
  s.past_error = j.value("past_error", "");
  if (j.contains("past_error_at")) s.past_error_at = time_from(j.at("past_error_at"));
  s.last_delivery = time_from(j.at("last_delivery"));
  s.next_attempt_in = seconds_or_none(j.at("next_attempt_in_seconds"));
  if (j.contains("next_batch_in_seconds"))
    s.next_batch_in = seconds_or_none(j.at("next_batch_in_seconds"));
  j.at("call").get_to(s.call);
  s.call_for = from_seconds(j.at("call_seconds").get<double>());
  return s;
}

Json buffer_json(const BufferReport& b) {
  return {{"epoch", b.epoch},
          {"blocks", b.blocks},
          {"used_bytes", b.used},
          {"free_bytes", b.free},
          {"limit_bytes", b.limit},
          {"allocated_bytes", b.allocated},
          {"disk_free_bytes", b.disk_free},
          {"when_full", b.when_full},
          {"full_in_seconds", optional_seconds(b.full_in)},
          {"written_per_raw_byte", optional_number(b.write_ratio)},
          {"written_bytes_per_day", optional_number(b.writes_per_day)},
          {"device", b.device},
          {"device_bytes_per_day", optional_number(b.device_per_day)},
          {"compression_ratio", optional_number(b.compression)},
          {"last_commit_seconds", seconds(b.last_commit)},
          {"mean_commit_seconds", seconds(b.mean_commit)},
          {"last_flush_seconds", seconds(b.last_flush)},
          {"mean_flush_seconds", seconds(b.mean_flush)},
          {"dead_letters", b.dead_letters},
          {"dead_letter_bytes", b.dead_letter_bytes},
          {"dead_letter_quota_bytes", b.dead_letter_quota},
          {"corrupt_blocks", b.corrupt_blocks},
          {"salvaged_records", b.salvaged_records},
          {"lost_records", b.lost_records},
          {"archived_blocks", b.archived_blocks},
          {"archived_bytes", b.archived_bytes},
          {"quarantines", b.quarantines},
          {"quarantine_bytes", b.quarantine_bytes},
          {"set_aside", b.set_aside},
          {"set_aside_bytes", b.set_aside_bytes},
          {"format", b.format},
          {"newest_format", b.newest_format}};
}

BufferReport buffer_from(const Json& j) {
  BufferReport b;
  b.epoch = j.value("epoch", "");
  b.blocks = j.value("blocks", std::uint64_t{0});
  j.at("used_bytes").get_to(b.used);
  j.at("free_bytes").get_to(b.free);
  j.at("limit_bytes").get_to(b.limit);
  j.at("allocated_bytes").get_to(b.allocated);
  j.at("disk_free_bytes").get_to(b.disk_free);
  j.at("when_full").get_to(b.when_full);
  b.full_in = seconds_or_none(j.at("full_in_seconds"));
  b.write_ratio = number_or_none(j.at("written_per_raw_byte"));
  b.writes_per_day = number_or_none(j.at("written_bytes_per_day"));
  b.device = j.value("device", "");
  if (j.contains("device_bytes_per_day"))
    b.device_per_day = number_or_none(j.at("device_bytes_per_day"));
  b.compression = number_or_none(j.at("compression_ratio"));
  b.last_commit = from_seconds(j.at("last_commit_seconds").get<double>());
  b.mean_commit = from_seconds(j.at("mean_commit_seconds").get<double>());
  b.last_flush = from_seconds(j.value("last_flush_seconds", 0.0));
  b.mean_flush = from_seconds(j.value("mean_flush_seconds", 0.0));
  j.at("dead_letters").get_to(b.dead_letters);
  j.at("dead_letter_bytes").get_to(b.dead_letter_bytes);
  j.at("corrupt_blocks").get_to(b.corrupt_blocks);
  j.at("quarantines").get_to(b.quarantines);
  b.dead_letter_quota = j.value("dead_letter_quota_bytes", std::uint64_t{0});
  b.salvaged_records = j.value("salvaged_records", std::uint64_t{0});
  b.lost_records = j.value("lost_records", std::uint64_t{0});
  b.archived_blocks = j.value("archived_blocks", std::uint64_t{0});
  b.archived_bytes = j.value("archived_bytes", std::uint64_t{0});
  b.quarantine_bytes = j.value("quarantine_bytes", std::uint64_t{0});
  b.set_aside = j.value("set_aside", 0u);
  b.set_aside_bytes = j.value("set_aside_bytes", std::uint64_t{0});
  b.format = j.value("format", "");
  b.newest_format = j.value("newest_format", "");
  return b;
}

Json reload_json(const ReloadReport& r) {
  return {{"count", r.count}, {"refused", r.refused}, {"refused_at", time_json(r.refused_at)}};
}

ReloadReport reload_from(const Json& j) {
  return {j.at("count").get<std::uint64_t>(), j.at("refused").get<std::string>(),
          time_from(j.at("refused_at"))};
}

Json report_json(const StatusReport& r) {
  Json json = {{"format", kStatusFormat},
               {"health", name(r.health)},
               {"reasons", r.reasons},
               {"notes", r.notes},
               {"running", r.running},
               {"agent", r.agent},
               {"version", r.version},
               {"data_dir", r.data_dir},
               {"config", r.config},
               {"reload", reload_json(r.reload)},
               {"pid", r.pid},
               {"uptime_seconds", seconds(r.uptime)},
               {"at", time_json(r.at)}};
  json["sources"] = Json::array();
  for (const SourceReport& source : r.sources) json["sources"].push_back(source_json(source));
  json["sinks"] = Json::array();
  for (const SinkReport& sink : r.sinks) json["sinks"].push_back(sink_json(sink));
  json["buffer"] = buffer_json(r.buffer);
  return json;
}

StatusReport report_from(const Json& j) {
  StatusReport r;
  const auto health = j.at("health").get<std::string>();
  r.health = health == name(Health::kHealthy)    ? Health::kHealthy
             : health == name(Health::kDegraded) ? Health::kDegraded
                                                 : Health::kDown;
  j.at("reasons").get_to(r.reasons);
  j.at("notes").get_to(r.notes);
  j.at("running").get_to(r.running);
  j.at("agent").get_to(r.agent);
  j.at("version").get_to(r.version);
  j.at("data_dir").get_to(r.data_dir);
  r.config = j.value("config", "");
  if (j.contains("reload")) r.reload = reload_from(j.at("reload"));
  j.at("pid").get_to(r.pid);
  r.uptime = from_seconds(j.at("uptime_seconds").get<double>());
  r.at = time_from(j.at("at"));
  for (const Json& source : j.at("sources")) r.sources.push_back(source_from(source));
  for (const Json& sink : j.at("sinks")) r.sinks.push_back(sink_from(sink));
  r.buffer = buffer_from(j.at("buffer"));
  return r;
}

}  // namespace

std::string to_json(const StatusReport& report) {
  // Paths and server messages may hold any bytes; JSON holds UTF-8.
  return report_json(report).dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<StatusReport> parse_status(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    const int format = parsed.at("format").get<int>();
    if (format != kStatusFormat)
      return fail(
          ErrorCode::kUnsupported,
          "the agent's status has format {}, this edgehose reads {}: use the agent's version",
          format, kStatusFormat);
    return report_from(parsed);
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInvalid, "the agent's answer is not a status: {}", e.what());
  }
}

}  // namespace edgehose
