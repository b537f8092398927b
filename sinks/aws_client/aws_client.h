// AwsClient: requests to one service of AWS's, or one that speaks like it: credentials are found
// and renewed, each attempt is signed anew with the server's time, and what an answer says can be
// put right (another time, fresh credentials) is put right once and sent again at once.
//
// A request is never lost to credentials: where there are none its answer says so (`unsigned_why`),
// and nothing was sent. An idle client asks nobody for anything.
//
// Threading: one thread. Bounded: as HttpClient, and one question for credentials at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sinks/aws/keeper.h"
#include "sinks/aws/sigv4.h"
#include "sinks/aws_client/ask_runner.h"
#include "sinks/aws_client/server_clock.h"
#include "sinks/http/http_client.h"

namespace edgehose {

struct AwsClientOptions {
  std::string name;  // of the sink, for the log
  HttpClientOptions http;
  aws::CredentialsConfig credentials;
  std::string region;  // where credentials are asked for; each request names its own
  std::string service;
  std::uint64_t seed = 0;
  aws::Environment environment{};
};

// What would help after an answer.
enum class Remedy { kNone, kClock, kCredentials };

struct AwsRequest {
  HttpRequest http;  // without Host, and without what signs it
  std::string region;
  std::string payload_hash;  // aws::SigningRequest
  Remedy (*remedy)(const HttpResponse&) = nullptr;
};

class AwsClient {
 public:
  struct Finished {
    std::uint64_t id;
    HttpResponse response;
    std::optional<Error> unsigned_why;  // nothing was sent
  };

  AwsClient(AwsClientOptions options, const Clock& clock);

  // `id` is the caller's; one that is under way is not given again.
  void start(std::uint64_t id, AwsRequest request);
  // Bounded work; appends what is finished. Returns when it wants to be called again (earlier when
  // a descriptor is readable).
  Instant step(std::vector<Finished>& finished);
  void abandon();
  std::vector<int> descriptors() const;
  // Where what signs now was found, for people; how far the server's clock is ahead of ours.
  std::string credentials_source() const;
  Duration clock_offset() const { return server_clock_.offset(); }
  // Since the start, searches for credentials over the network included.
  WireBytes wire_bytes() const;
  WallTime server_time() const { return server_clock_.at(clock_.wall()); }

 private:
  struct Pending {
    AwsRequest request;
    bool sent = false;
    std::string signed_with{};  // access key id of the last attempt
    Duration signed_at{};       // the server's offset then
    bool clock_cured = false, credentials_cured = false;
  };

  Instant ask_for_credentials(Instant now);
  void send_waiting(std::vector<Finished>& finished);
  void send(std::uint64_t id, Pending& pending, const aws::Credentials& credentials);
  void take(HttpClient::Finished answer, std::vector<Finished>& finished);
  void learn_time(std::string_view verified_date);
  bool cure(Pending& pending, const HttpResponse& response);
  aws::Signer& signer_for(const std::string& region);
  Error why_unsigned() const;

  const std::string name_, service_;
  const Clock& clock_;
  HttpClient http_;
  aws::CredentialKeeper keeper_;
  AskRunner asks_;
  ServerClock server_clock_;
  std::string signer_region_;
  std::optional<aws::Signer> signer_;  // for signer_region_
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace edgehose
