// edgehose buffer verify: reads everything that the buffer holds and checks it.
#include "agent/base/text.h"
#include "agent/commands/load.h"
#include "agent/commands/table.h"
#include "agent/run/agent.h"
#include "buffer/verify.h"

namespace edgehose {
namespace {

void print_report(const VerifyReport& report) {
  fmt::print("{} ({} not full), {}, {} raw\n", format_count(report.blocks, "block"),
             format_count(report.minis), format_count(report.records, "record"),
             format_size(report.raw_bytes));
  fmt::print("{}, {}, {}, {}, {}\n", format_count(report.sources, "source"),
             format_count(report.files, "file"), format_count(report.lanes, "lane"),
             format_count(report.claims, "claim"),
             format_count(report.dead_letters, "dead letter"));
  if (report.sequence_gaps > 0)
    fmt::print("{} in sequences: records that were dropped or lost\n",
               format_count(report.sequence_gaps, "gap"));
  if (report.unopened > 0)
    fmt::print("{} sealed with a key that is not configured\n",
               format_count(report.unopened, "block or value was", "blocks and values were"));
  if (report.sound()) {
    fmt::print("{}\n", report.unopened == 0
                           ? "All of it is sound."
                           : "What could be opened is sound; for the rest add its key to "
                             "buffer.encryption_keys.");
    return;
  }
  std::fflush(stdout);
  for (const std::string& finding : report.findings) complain(finding);
  fmt::print("{}.\n", format_count(report.found, "finding"));
}

int buffer_verify(const Invocation& invocation) {
  const auto loaded = load_or_complain(invocation, Needs::kBuffer);
  if (!loaded) return kExitUsage;
  std::vector<Error> unread;
  const auto options = store_options(loaded->config, &unread);
  if (!options) return failed(options.error());
  const std::string path = invocation.value("file").value_or(options->directory + "/buffer.mdb");
  const auto report = verify_buffer(path, *options);
  if (!report) return failed(report.error());
  print_report(*report);
  if (report->unopened > 0)
    for (const Error& key : unread) complain(key.message);
  return report->sound() && report->unopened == 0 ? kExitOk : kExitFailed;
}

}  // namespace

Command buffer_verify_command() {
  return {.name = "buffer verify",
          .arguments = "",
          .summary = "reads and checks everything in the buffer",
          .description =
              "Reads every block of the buffer, checks its checksum (or its seal, where the\n"
              "buffer is encrypted), decompresses it and takes every record out; then checks\n"
              "that cursors, claims and counters agree with the blocks. Tells what is wrong;\n"
              "changes nothing. Works beside a running agent.",
          .options = {{"file", "FILE",
                       "Another buffer file, such as one that was set aside as damaged"}},
          .examples = "edgehose buffer verify",
          .exit_codes =
              "0  all of it is sound\n"
              "1  something is damaged or cannot be opened\n"
              "2  the command line or the config is wrong",
          .run = buffer_verify};
}

}  // namespace edgehose
