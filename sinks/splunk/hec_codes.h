// What the codes of an HTTP Event Collector mean: a table. An answer is judged by its code, never
// by its text, which differs between versions. Pure.
//
// Source: "Troubleshoot HTTP Event Collector", the table of possible error codes,
// https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector
#pragma once

#include <string_view>

namespace edgehose {

enum class HecMeaning {
  kTaken,      // it has what was sent
  kTakenFull,  // the same, and it comes close to its limits
  kHealthy,    // it would take what is sent
  kBusy,       // not taken, for now
  kUnclear,    // not taken as a whole: some of it may have been
  kToken,      // the token's fault, whatever is asked: needs a person
  kPark,       // the request's fault: needs a person
  kChannel,    // it does not know the channel
  kNoAcks,     // the token does not acknowledge
  kIndex,      // an index that the token may not write to
  kEvent,      // an event is malformed; those before it were taken
};

struct HecRule {
  int code;
  HecMeaning meaning;
  std::string_view words;        // for people: the server's may repeat an event
  std::string_view advice = {};  // what to do
};

// Null: a code that is not in the table.
const HecRule* hec_rule(int code);

}  // namespace edgehose
