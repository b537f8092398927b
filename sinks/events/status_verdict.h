// What an answer means by its HTTP status alone, where its service has not said more; and what it
// means that there is none. Pure.
//
// Source: RFC 9110, section 15; RFC 6585 (429).
#pragma once

#include <cstdint>
#include <string>

#include "sinks/http_message.h"
#include "sinks/sink.h"

namespace edgehose {

enum class HttpRefusal {
  kRetry,    // not taken, for now
  kUnclear,  // it may have been taken
  kPark,     // needs a person
  kTooLarge,
};

// Of a status that is not 2xx.
HttpRefusal refusal_of(int status);
// With what the server wishes (Retry-After).
Verdict verdict_of(HttpRefusal refusal, const HttpResponse& answer, std::string words);

// No answer came (status 0). `records`: that were sent.
Verdict judge_silence(const HttpResponse& answer, std::uint64_t records);
// Nothing was sent: no credentials, a body that cannot be read, or one that turned out too long.
Verdict judge_unmade(const Error& why);

// Whether it is this host that cannot, rather than the service or the request.
bool host_fails(const HttpResponse& answer);

}  // namespace edgehose
