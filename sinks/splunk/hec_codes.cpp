#include "sinks/splunk/hec_codes.h"

#include <algorithm>
#include <iterator>

namespace edgehose {
namespace {

constexpr std::string_view kSeeToToken = "see to \"token\"";
constexpr std::string_view kBody = "something between here and there takes away the request's body";
constexpr std::string_view kHeader =
    "something between here and there takes away the header X-Splunk-Request-Channel";

constexpr HecRule kRules[] = {
    {0, HecMeaning::kTaken, "taken"},
    {1, HecMeaning::kToken, "the token is disabled", "enable the token there"},
    {2, HecMeaning::kToken, "no token came",
     "something between here and there takes away the Authorization header"},
    {3, HecMeaning::kToken, "no valid authorization", kSeeToToken},
    {4, HecMeaning::kToken, "no valid token", kSeeToToken},
    {5, HecMeaning::kPark, "no data came", kBody},
    {6, HecMeaning::kEvent, "no valid event"},
    {7, HecMeaning::kIndex, "no index for this token",
     "let the token write to that index, or correct \"index\""},
    {8, HecMeaning::kUnclear, "an error of its own"},
    {9, HecMeaning::kBusy, "it is busy"},
    {10, HecMeaning::kChannel, "no channel came", kHeader},
    {11, HecMeaning::kChannel, "no valid channel", kHeader},
    {12, HecMeaning::kEvent, "an event without its text"},
    {13, HecMeaning::kEvent, "an event with an empty text"},
    {14, HecMeaning::kNoAcks, "the token does not acknowledge",
     "enable indexer acknowledgement for the token, or set ack = false"},
    {15, HecMeaning::kEvent, "no valid fields"},
    {16, HecMeaning::kPark, "no token may stand in a query",
     "something between here and there takes away the Authorization header"},
    {17, HecMeaning::kHealthy, "healthy"},
    {18, HecMeaning::kBusy, "its queues are full"},
    {19, HecMeaning::kBusy, "it cannot acknowledge"},
    {20, HecMeaning::kBusy, "its queues are full, and it cannot acknowledge"},
    {21, HecMeaning::kToken, "no valid token", kSeeToToken},
    {22, HecMeaning::kToken, "the token is disabled", "enable the token there"},
    {23, HecMeaning::kBusy, "it is shutting down"},
    {24, HecMeaning::kTakenFull, "taken, its queue is nearly full"},
    {25, HecMeaning::kTakenFull, "taken, its acknowledgements are nearly full"},
    {26, HecMeaning::kBusy, "its queue is full"},
    {27, HecMeaning::kBusy, "the channel's acknowledgements are full"},
};

}  // namespace

const HecRule* hec_rule(int code) {
  const auto rule = std::ranges::find(kRules, code, &HecRule::code);
  return rule == std::end(kRules) ? nullptr : rule;
}

}  // namespace edgehose
