// Indexer acknowledgement: what was taken is safe once the server says so of its id, on the channel
// that it was sent on. Pure.
//
// Ids count from 0 on each channel. A server that was restarted knows no id of before, and counts
// anew: an id that two batches have, or may have, says nothing of either (Batch::ambiguous). What
// is not acknowledged in time is sent again, on another channel, and waits twice as long, up to an
// hour: where acknowledgements never come, duplicates stay few.
//
// Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sinks/sink.h"

namespace edgehose {

// An id that no server gives: of what was taken without one. It is never acknowledged.
constexpr std::uint64_t kNoAckId = 2'000'000'000;

// Who is to be asked for what: "ID CHANNEL ENDPOINT".
struct Receipt {
  std::string endpoint;
  std::string channel;
  std::uint64_t id = 0;

  std::string text() const;
  std::string group() const { return channel + ' ' + endpoint; }
  std::optional<std::uint64_t> serial() const;  // none: kNoAckId
  // Of text() alone: it was made here.
  static Receipt read(std::string_view text);
};

struct AckOptions {
  bool several_hosts = false;  // what one of them refuses says nothing of the others
  Duration timeout{};
  Duration interval{};  // between questions, of a batch that was sent once
};

// When a batch is asked after that has waited so long: after 2 s first, then after as long again,
// so that what is indexed soon frees its place soon, and slow indexers are not pestered. What came
// back unacknowledged before waits an eighth of its wait each time, `interval` at least: where
// acknowledgements never come, each batch has a channel of its own, and its own questions.
Duration next_question(Duration held_back, Duration interval, unsigned spent_receipts);

// Asks for the receipts of batches of one group, of which there is one at least.
PostRequest ask_for_acks(std::span<const Batch* const> batches);

// Of a batch with a receipt: Delivered; Poll, which keeps it; Retry, which sends it again; Park.
Verdict judge_acks(const AckOptions& options, const Batch& batch, const PostResponse& response);

// How long a batch waits that was sent again so often.
Duration ack_patience(Duration timeout, unsigned spent_receipts);

}  // namespace edgehose
