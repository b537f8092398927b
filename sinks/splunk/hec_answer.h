// What an HTTP Event Collector answers, read. Pure.
//
//   {"text":"Success","code":0,"ackId":7}
//   {"text":"Invalid data format","code":6,"invalid-event-number":3}
//   {"acks":{"7":true,"8":false}}
//
// An `invalid-event-number` counts from 0, but from 1 where the code is 7: so Splunk 10.4 was
// measured.
//
// Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck, and the
// reference of the endpoints services/collector, services/collector/ack.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sinks/http_message.h"

namespace edgehose {

struct HecAnswer {
  std::optional<int> code;  // none: it is no collector's answer
  std::string text;         // its words, printable and short
  std::optional<std::uint64_t> ack_id;
  std::optional<std::uint64_t> invalid_event;  // its place in the request, from 0 always
};

HecAnswer read_hec_answer(const HttpResponse& answer);

// Of each id that it tells of whether it is acknowledged. None: it is no such answer.
std::optional<std::map<std::uint64_t, bool>> read_acks(const HttpResponse& answer);

// "the server answers 400, code 6 (no valid event), of event 3; `advice`". For log and status: with
// the table's words (hec_codes.h), since the server's may repeat what is in an event.
std::string words_of(const HttpResponse& answer, const HecAnswer& hec, std::string_view advice);
// The same with the server's words: for dead letters alone.
std::string server_words_of(const HttpResponse& answer, const HecAnswer& hec,
                            std::string_view advice);

}  // namespace edgehose
