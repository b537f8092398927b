// What an answer means by its HTTP status alone, where its service has not said more; and what it
// means that there is none. Pure.
//
// Source: RFC 9110, section 15; RFC 6585 (429).
#pragma once

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

// A Park by an answer without a word of the service's may be about what is in the body: not one
// that asks for credentials, the service's or a proxy's.
Verdict of_batch(Verdict verdict, const HttpResponse& answer);

// No answer came (status 0), or one that is too long: its body has the beginning.
Verdict judge_silence(const HttpResponse& answer);
// Nothing was sent: no credentials, a body that cannot be read, or one that turned out too long.
Verdict judge_unmade(const Error& why);

// How a host says that it is, asked by a GET. Not known: it cannot be asked so, or not by this
// token; a body goes, once its headers were taken (Expect).
enum class HostHealth { kWell, kNotKnown, kUnwell };

// Whether it is this host that cannot, rather than the service or the request: one that is busy,
// and what answers 200 with a page.
bool host_fails(const HttpResponse& answer);
// Whether it has taken nothing, and another host may: it knows other users, or is no such server.
bool host_refuses(const HttpResponse& answer);

}  // namespace edgehose
