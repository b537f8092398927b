// edgehose buffer list, export: what the buffer holds, and what one that was set aside as damaged
// held. For reading, also beside a running agent.
#include <unistd.h>

#include <map>

#include "agent/base/file.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/commands/layout.h"
#include "agent/commands/load.h"
#include "agent/commands/table.h"
#include "agent/config/agent_id.h"
#include "agent/run/agent.h"
#include "buffer/copies.h"
#include "buffer/environment_check.h"
#include "buffer/keyspace.h"
#include "buffer/verify.h"

namespace edgehose {
namespace {

constexpr std::size_t kOutputBytes = 1 << 20;

Result<std::map<SourceId, std::string>> source_names(Store& store) {
  EH_ASSIGN(const auto sources, store.sources());
  std::map<SourceId, std::string> names;
  for (const SourceState& source : sources) names[source.id] = source.name;
  return names;
}

Result<SourceId> wanted_source(const Invocation& invocation,
                               const std::map<SourceId, std::string>& names) {
  const auto wanted = invocation.value("source");
  if (!wanted) return SourceId{};
  std::vector<std::string_view> known;
  for (const auto& [id, name] : names) {
    if (name == *wanted) return id;
    known.push_back(name);
  }
  const auto near = nearest(*wanted, known);
  return fail(ErrorCode::kNotFound, "the buffer holds no source \"{}\"{}", *wanted,
              near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

// --- list ----------------------------------------------------------------------------------------

void print_block(const BlockInfo& block, const std::string& source) {
  fmt::print("{:>7} {:<10} {:>10} {:>7} {:>9} {:>9} {:<20}{}\n", block.number.value,
             clipped(printable(source), 10), block.first.value, block.records,
             format_size(block.body_raw), format_size(block.body_stored),
             format_wall(block.first_time), block.mini ? " m" : "");
}

Status list_blocks(Store& store, SourceId source, std::uint64_t limit,
                   const std::map<SourceId, std::string>& names) {
  fmt::print("{:>7} {:<10} {:>10} {:>7} {:>9} {:>9} {}\n", "BLOCK", "SOURCE", "FIRST SEQ",
             "RECORDS", "RAW", "STORED", "FIRST TIME");
  BlockNumber from{1};
  for (std::uint64_t shown = 0;; ++shown) {
    EH_ASSIGN(const std::optional<BlockInfo> block, store.next_block(source, from));
    if (!block && shown == 0) fmt::print("none\n");
    if (!block) return {};
    if (shown == limit) {
      fmt::print("... more; see --limit\n");
      return {};
    }
    const auto name = names.find(block->source);
    print_block(*block, name == names.end() ? "?" : name->second);
    from = block->number + 1;
  }
}

int buffer_list(const Invocation& invocation) {
  std::uint64_t limit = 1000;
  if (const auto text = invocation.value("limit")) {
    const auto number = parse_number(*text);
    if (!number)
      return usage_error("buffer list", fmt::format("--limit {} is not a number", *text));
    limit = *number;
  }
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto names = source_names(*opened.store);
  if (!names) return failed(names.error());
  const auto source = wanted_source(invocation, *names);
  if (!source) return failed(source.error());
  const Status listed = list_blocks(*opened.store, *source, limit, *names);
  return listed ? kExitOk : failed(listed.error());
}

// --- export --------------------------------------------------------------------------------------

// Writes in large pieces; a reader that goes away ends it quietly with the signal.
class Output {
 public:
  std::string& text() { return text_; }
  Status flush_if_large() { return text_.size() < kOutputBytes ? Status{} : flush(); }
  Status flush() {
    EH_TRY(write_all(STDOUT_FILENO, text_, "standard output"));
    text_.clear();
    return {};
  }

 private:
  std::string text_;
};

std::string ndjson_line(const Record& record, std::string_view source, std::string_view agent) {
  Json line = {{"time", format_wall_ms(record.time)},
               {"source", source},
               {"sequence", record.sequence.value},
               {"agent", agent},
               {"message", record.body}};
  for (const Attribute& attribute : record.attributes)
    line["attributes"][std::string(attribute.name)] = attribute.value;
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status export_block(const DecodedBlock& block, bool ndjson, std::string_view source,
                    std::string_view agent, Output& output) {
  if (!ndjson) {
    output.text() += block.bodies;
    return output.flush_if_large();
  }
  RecordReader reader(block);
  Record record;
  while (reader.next(record)) {
    output.text() += ndjson_line(record, source, agent) + "\n";
    EH_TRY(output.flush_if_large());
  }
  if (!reader.ok()) return fail(ErrorCode::kCorrupt, "its index is malformed");
  return {};
}

// Damaged blocks are told and left out. Returns how many.
Result<std::uint64_t> export_blocks(Store& store, SourceId source, bool ndjson,
                                    std::string_view agent,
                                    const std::map<SourceId, std::string>& names) {
  Output output;
  std::uint64_t damaged = 0;
  for (BlockNumber from{1};;) {
    EH_ASSIGN(const std::optional<BlockInfo> info, store.next_block(source, from));
    if (!info) break;
    from = info->number + 1;
    const auto block = store.read_decoded(info->number);
    if (!block && block.error().code == ErrorCode::kNotFound)
      continue;  // delivered and trimmed meanwhile
    const auto name = names.find(info->source);
    const Status exported =
        !block
            ? Status(tl::unexpected(block.error()))
            : export_block(*block, ndjson, name == names.end() ? "" : name->second, agent, output);
    if (exported) continue;
    if (exported.error().code == ErrorCode::kIo) return tl::unexpected(exported.error());
    complain(fmt::format("block {} ({}) is left out: {}", info->number.value,
                         format_count(info->records, "record"), exported.error().message));
    ++damaged;
  }
  EH_TRY(output.flush());
  return damaged;
}

// What opens and names the blocks of a buffer file: its own entries, where it is sound, else those
// of the copy beside the living buffer.
struct Salvaged {
  std::vector<std::string> keys;  // wrapped
  std::map<SourceId, std::string> names;
};

Salvaged known_from(const ControlEntries& entries) {
  Salvaged known;
  for (const auto& [key, value] : entries) {
    if (key.starts_with(keyspace::kDataKeyPrefix)) known.keys.push_back(value);
    if (!key.starts_with(keyspace::kSourcePrefix)) continue;
    if (const auto source = keyspace::decode_source(key, value))
      known.names[source->id] = source->name;
  }
  return known;
}

Status export_record(const Record& record, bool ndjson, std::string_view source,
                     std::string_view agent, Output& output) {
  output.text() += ndjson ? ndjson_line(record, source, agent) : std::string(record.body);
  output.text() += '\n';
  return output.flush_if_large();
}

int export_file(const Invocation& invocation, const std::string& path, bool ndjson) {
  const auto loaded = load_or_complain(invocation, Needs::kValues);
  if (!loaded) return kExitUsage;
  const auto options = store_options(loaded->config);
  if (!options) return failed(options.error());
  const auto agent = agent_id(loaded->config.agent, false);
  if (!agent) return failed(agent.error());
  const auto check = check_environment(path, *options);
  if (!check) return failed(check.error());
  if (check->unreadable) return failed(*check->unreadable);
  const Salvaged known = known_from(
      check->sound ? check->entries : read_copies(options->directory).value_or(ControlEntries{}));
  const auto only = wanted_source(invocation, known.names);
  if (!only) return failed(only.error());
  Output output;
  const ExportRecord write = [&](SourceId id, const BlockHeader&, const Record& record) -> Status {
    if (only->value != 0 && *only != id) return {};
    const auto name = known.names.find(id);
    return export_record(record, ndjson, name == known.names.end() ? "" : name->second, *agent,
                         output);
  };
  const std::unique_ptr<Clock> clock = make_system_clock();
  const auto report = check->sound ? export_buffer(path, *options, write)
                                   : export_salvaged(path, *options, known.keys, *clock, write);
  if (!report) return failed(report.error());
  if (const Status flushed = output.flush(); !flushed) return failed(flushed.error());
  if (report->unreadable_blocks == 0) return kExitOk;
  complain(fmt::format("{} left out of {}",
                       format_count(report->unreadable_blocks, "damaged block"), path));
  return kExitFailed;
}

int buffer_export(const Invocation& invocation) {
  const std::string format = invocation.value("format").value_or("lines");
  if (format != "lines" && format != "ndjson")
    return usage_error("buffer export",
                       fmt::format("--format {} is neither lines nor ndjson", format));
  if (const auto file = invocation.value("file"))
    return export_file(invocation, *file, format == "ndjson");
  const OpenedBuffer opened = open_for_reading(invocation, Needs::kValues);
  if (opened.store == nullptr) return opened.code;
  if (const Status opens = opened.opens_what_is_sealed(); !opens) return failed(opens.error());
  const auto names = source_names(*opened.store);
  if (!names) return failed(names.error());
  const auto source = wanted_source(invocation, *names);
  if (!source) return failed(source.error());
  const auto agent = agent_id(opened.config->config.agent, false);
  if (!agent) return failed(agent.error());
  const auto damaged = export_blocks(*opened.store, *source, format == "ndjson", *agent, *names);
  if (!damaged) return failed(damaged.error());
  return *damaged == 0 ? kExitOk : kExitFailed;
}

}  // namespace

Command buffer_list_command() {
  return {.name = "buffer list",
          .arguments = "",
          .summary = "the blocks that the buffer holds",
          .description =
              "Lists stored blocks, the oldest first: number, source, first sequence number,\n"
              "records, raw and stored size, time of the first record; m: a mini-block, which\n"
              "will be merged with others. Works beside a running agent and changes nothing.",
          .options = {{"source", "NAME", "Only this source's blocks"},
                      {"limit", "N", "At most so many (default 1000)"}},
          .examples = "edgehose buffer list --source app --limit 20",
          .exit_codes = {},
          .run = buffer_list};
}

Command buffer_export_command() {
  return {.name = "buffer export",
          .arguments = "",
          .summary = "writes the buffered records to standard output",
          .description =
              "Writes every record that the buffer holds, in order, delivered or not, to\n"
              "standard output. Nothing is changed and nothing counts as delivered. A block\n"
              "that is damaged is told on standard error and left out.\n"
              "With --file, of another buffer file; of a damaged one whatever can be read,\n"
              "wherever it lies, also what was delivered long ago.",
          .options =
              {{"source", "NAME", "Only this source's records"},
               {"format", "FORMAT",
                "lines: as they were read (default); ndjson: with time, source, sequence, agent"},
               {"file", "FILE", "Another buffer file, such as one that was set aside as damaged"}},
          .examples =
              "edgehose buffer export | zstd > rescue.log.zst\n"
              "edgehose buffer export --source app --format ndjson | jq .message\n"
              "edgehose buffer export --file buffer.mdb.damaged-20261123T031152Z",
          .exit_codes =
              "0  all of it was written\n"
              "1  damaged blocks were left out, or it failed\n"
              "2  the command line or the config is wrong",
          .run = buffer_export};
}

}  // namespace edgehose
