// Carrier: carries requests to a service, with the header that says who sends them, or signed for
// AWS: one interface over HttpClient and AwsClient.
//
// Threading: one thread. Bounded as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sinks/aws_client/aws_client.h"
#include "sinks/events/events_auth.h"
#include "sinks/http/http_client.h"

namespace edgehose {

struct CarrierOptions {
  std::string name;  // of the sink, for the log
  EventsAuth auth;   // with its region
  aws::CredentialsConfig credentials;
  HttpClientOptions http;
  Remedy (*remedy)(const HttpResponse&) = nullptr;  // of signed requests
  std::uint64_t seed = 0;
  aws::Environment environment{};
};

class Carrier {
 public:
  using Finished = AwsClient::Finished;

  Carrier(CarrierOptions options, const Clock& clock);

  // `payload_hash`: of what is signed (aws::SigningRequest). An error: nothing was sent, and no
  // answer will come.
  Status start(std::uint64_t id, HttpRequest request, std::string payload_hash);
  Instant step(std::vector<Finished>& finished);
  void abandon();
  WireBytes wire_bytes() const;
  std::vector<int> descriptors() const;

 private:
  const EventsAuth auth_;
  Remedy (*const remedy_)(const HttpResponse&);
  std::optional<HttpClient> http_;  // one of the two
  std::optional<AwsClient> aws_;
};

}  // namespace edgehose
