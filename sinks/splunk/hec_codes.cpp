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
    {0, HecMeaning::kTaken},
    {1, HecMeaning::kToken, "enable the token there"},
    {2, HecMeaning::kToken, "something between here and there takes away the Authorization header"},
    {3, HecMeaning::kToken, kSeeToToken},
    {4, HecMeaning::kToken, kSeeToToken},
    {5, HecMeaning::kPark, kBody},
    {6, HecMeaning::kEvent},
    {7, HecMeaning::kIndex, "let the token write to that index, or correct \"index\""},
    {8, HecMeaning::kUnclear},
    {9, HecMeaning::kBusy},
    {10, HecMeaning::kChannel, kHeader},
    {11, HecMeaning::kChannel, kHeader},
    {12, HecMeaning::kEvent},
    {13, HecMeaning::kEvent},
    {14, HecMeaning::kNoAcks, "enable indexer acknowledgement for the token, or set ack = false"},
    {15, HecMeaning::kEvent},
    {16, HecMeaning::kPark, "something between here and there takes away the Authorization header"},
    {17, HecMeaning::kHealthy},
    {18, HecMeaning::kBusy},
    {19, HecMeaning::kBusy},
    {20, HecMeaning::kBusy},
    {21, HecMeaning::kToken, kSeeToToken},
    {22, HecMeaning::kToken, "enable the token there"},
    {23, HecMeaning::kBusy},
    {24, HecMeaning::kTakenFull},
    {25, HecMeaning::kTakenFull},
    {26, HecMeaning::kBusy},
    {27, HecMeaning::kBusy},
};

}  // namespace

const HecRule* hec_rule(int code) {
  const auto rule = std::ranges::find(kRules, code, &HecRule::code);
  return rule == std::end(kRules) ? nullptr : rule;
}

}  // namespace edgehose
