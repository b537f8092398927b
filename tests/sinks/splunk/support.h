// What a collector answers, for the tests of the Splunk sink.
#pragma once

#include <fmt/format.h>

#include <string>

#include "sinks/sink.h"

namespace edgehose {

inline HttpResponse hec_response(int status, std::string body) {
  HttpResponse answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}
// {"text":"words","code":6,...}
inline HttpResponse hec_response(int status, int code, const std::string& more = "") {
  return hec_response(status, fmt::format(R"({{"text":"words","code":{}{}}})", code, more));
}

inline SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence(first), Sequence(last)};
}

}  // namespace edgehose
