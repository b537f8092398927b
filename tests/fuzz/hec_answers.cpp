// A HEC answer: what it refuses was sent, what it takes has a receipt that reads back.
#include <algorithm>

#include "sinks/splunk/acknowledgements.h"
#include "sinks/splunk/hec_verdict.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

bool was_sent(const PostResponse& response, Sequence sequence) {
  return std::ranges::any_of(response.sent, [&](const SequenceRange& range) {
    return range.first <= sequence && sequence <= range.last;
  });
}

void check(const Verdict& verdict, const PostResponse& response) {
  if (const auto* refused = std::get_if<Rejected>(&verdict))
    for (const Sequence s : refused->records)
      require(was_sent(response, s), "record {} is refused, and was not sent", s.value);
  if (const auto* partly = std::get_if<Partly>(&verdict)) {
    for (const Rejected& refused : partly->refused)
      for (const Sequence s : refused.records)
        require(was_sent(response, s), "record {} is refused, and was not sent", s.value);
    for (const SequenceRange& range : partly->again)
      require(range.first <= range.last && was_sent(response, range.first) &&
                  was_sent(response, range.last),
              "what is to come again was not sent");
  }
  if (const auto* poll = std::get_if<Poll>(&verdict))
    require(Receipt::read(poll->receipt).text() == poll->receipt, "a receipt reads otherwise");
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t flags = input.byte();
  PostResponse response;
  response.endpoint = "https://hec:8088";
  response.channel = "0a1b2c3d-0000-4000-8000-000000000000";
  response.sent = {{Sequence{5}, Sequence{6}}, {Sequence{9}, Sequence{9}}};
  response.bytes = 300;
  response.answer.status = (flags & 1) != 0 ? 200 : 100 + input.byte() * 2;
  response.answer.body = input.rest();
  HecOptions options;
  options.raw = (flags & 2) != 0;
  options.ack = (flags & 4) != 0;
  options.ack_interval = std::chrono::seconds(10);
  check(judge_hec(options, response), response);
  static_cast<void>(judge_hec_health(response.answer));
  static_cast<void>(hec_health(response.answer));
  static_cast<void>(hec_refuses_gzip(response.answer));

  Batch asked;
  asked.receipt = Receipt{response.endpoint, response.channel, 7}.text();
  asked.ambiguous = (flags & 8) != 0;
  const AckOptions acks{(flags & 16) != 0, std::chrono::minutes(5), std::chrono::seconds(10)};
  check(judge_acks(acks, asked, response), response);
}

std::vector<std::string> seeds() {
  const auto of = [](std::string_view head, std::string_view body) {
    return std::string(head) + std::string(body);
  };
  return {of("\x05", R"({"text":"Success","code":0,"ackId":7})"),
          of("\x01", R"({"text":"Success","code":0})"),
          of("\x01", R"({"acks":{"7":true,"8":false}})"),
          of("\x1d", R"({"acks":{"7":false}})"),
          of(std::string("\x04\x96"),
             R"({"text":"Invalid data format","code":6,"invalid-event-number":3})"),
          of(std::string("\x00\x96", 2),
             R"({"text":"Event field is required","code":12,"invalid-event-number":0})"),
          of(std::string("\x00\xc9", 2), R"({"text":"Server is busy","code":9})")};
}

}  // namespace edgehose::fuzz
