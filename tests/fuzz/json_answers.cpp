// What servers answer in JSON, and what devices log in it: credentials, refusals, a status, a line.
#include "agent/run/status_report.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/elasticsearch/search_error.h"
#include "sinks/events/json_line.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

enum Mode : std::uint8_t { kCredentials, kSearchError, kStatus, kLine, kModes };

void read_line(std::string_view text) {
  JsonLine line;
  if (!line.read(text)) return;
  require(line.rest().ends_with('}'), "an object that does not end");
  std::size_t keys = 0;
  line.each_key([&](std::string_view key) {
    ++keys;
    static_cast<void>(line.text(key));
    static_cast<void>(line.time(key));
  });
  require((keys == 0) == line.empty(), "{} keys, and empty says otherwise", keys);
}

void read_credentials(std::string_view text) {
  for (const auto& layout : {aws::kMetadataLayout, aws::kProcessLayout, aws::kIotLayout})
    static_cast<void>(aws::parse_credentials(text, layout, "a fuzzer"));
  for (const char c : aws::error_in_json(text))
    require(static_cast<unsigned char>(c) >= ' ', "an error with a control character");
}

void read_search_answer(Input input) {
  HttpResponse answer;
  answer.status = 200 + input.byte() * 2;
  answer.body = input.rest();
  static_cast<void>(read_search_error(answer));
  static_cast<void>(describe_server(answer));
  static_cast<void>(search_health(answer));
  if (!answer.succeeded()) static_cast<void>(judge_search_refusal(answer, 1000));
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  switch (input.byte() % kModes) {
    case kCredentials: return read_credentials(input.rest());
    case kSearchError: return read_search_answer(input);
    case kStatus: return static_cast<void>(parse_status(input.rest()));
    default: return read_line(input.rest());
  }
}

std::vector<std::string> seeds() {
  const auto of = [](Mode mode, std::string_view text) {
    return std::string(1, static_cast<char>(mode)) + std::string(text);
  };
  StatusReport report;
  report.sinks.emplace_back();
  report.sources.emplace_back();
  return {
      of(kCredentials,
         R"({"Code":"Success","AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-27T10:00:00Z"})"),
      of(kCredentials,
         R"({"credentials":{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":"2026-11-27T10:00:00Z"}})"),
      of(kSearchError,
         "\x64"
         R"({"error":{"type":"circuit_breaking_exception","reason":"too large"},"status":429})"),
      of(kStatus, to_json(report)),
      of(kLine, R"({"time":"2026-11-27T10:00:00Z","app":{"name":"x"},"n":1.5e3,"s":"\u00e9\n"})")};
}

}  // namespace edgehose::fuzz
