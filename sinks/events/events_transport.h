// EventsTransport: hands records to a service by request, each to one of several hosts: encoded a
// block a step, compressed as a whole, sent with the sink's credentials, the answer read back.
//
// A request that certainly did not arrive goes to another host at once, if one is healthy; one that
// a host refused for what may be its own fault alone goes to each of the others, and is refused
// where all have said so. A host that turns out not to read gzip gets the same request plain, and
// from then on all. While something is wrong the service is asked before a body goes (Expect:
// 100-continue), so that a probe of a sink without rights costs a few hundred bytes.
//
// A service with channels (Splunk's: what it acknowledges is told on the channel it was sent on)
// has one for each host, with a random name, until a request says that it is spent.
//
// What is particular to a kind of service are a few pure functions (EventService).
//
// Threading: transport.h. Bounded: at most `concurrency` bodies at once, which the courier sees to,
// each of which its maker bounds; an answer is longer than its request by 1 MiB at most.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sinks/delivery/transport.h"
#include "sinks/events/carrier.h"
#include "sinks/events/endpoints.h"
#include "sinks/events/event_body.h"
#include "sinks/events/status_verdict.h"

namespace edgehose {

struct EventService {
  // Whether an answer to a compressed request says that the service cannot read it.
  bool (*refuses_gzip)(const HttpResponse&) = nullptr;
  Remedy (*remedy)(const HttpResponse&) = nullptr;  // of requests signed for AWS
  // Whether the answer says that this host, rather than the request, is in trouble: it rests. Asked
  // of an answer that was too long to be read whole too, which has its beginning.
  bool (*host_fails)(const HttpResponse&) = nullptr;
  // What a GET tells who serves: asked once, behind the first answer; empty: nobody is asked.
  std::string about{};
  // "OpenSearch 2.19.4"; empty: it does not say.
  std::string (*describe)(const HttpResponse&) = nullptr;
  // What a GET tells how a host is: asked before a body goes while something is wrong; empty: the
  // body's headers have to do (Expect).
  std::string health{};
  // What its answer says. kUnwell: a body would go in vain, so it stands for the request's.
  HostHealth (*health_of)(const HttpResponse&) = nullptr;
  // Whether the answer says that nothing was taken, and another host need not say the same: this
  // one rests, and the others are asked.
  bool (*host_refuses)(const HttpResponse&) = nullptr;
};

class EventsTransport final : public Transport {
 public:
  struct Options {
    std::string name;   // of the sink
    bool once = false;  // records have no ids: libcurl sends no request twice by itself
    std::vector<std::string> endpoints;
    EventsAuth auth;
    aws::CredentialsConfig credentials;
    bool gzip = true;
    std::string channel_header;  // empty: the service has no channels
    EventService service;
    std::uint64_t seed = 0;
    HttpClientOptions http{};
    aws::Environment environment{};
  };

  EventsTransport(Options options, const Clock& clock);
  ~EventsTransport() override;
  // The request's body is an EventBody, or null.
  // An endpoint that a request has to go to is one of the options'.
  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) override;
  Instant step(Instant now, std::vector<Completion>& finished) override;
  void abandon() override;
  WireBytes wire_bytes() const override { return carrier_.wire_bytes(); }
  std::vector<int> descriptors() const override { return carrier_.descriptors(); }

 private:
  struct Job;

  void encode(Instant now, std::vector<Completion>& finished);
  Result<bool> encode_slice(Job& job);
  void send(RequestId id, Job& job, Instant now, std::vector<Completion>& finished);
  void choose_host(Job& job, Instant now);
  void choose_channel(Job& job);
  void carry(RequestId id, Job& job, std::vector<Completion>& finished);
  HttpRequest http_request(const Job& job) const;
  HttpRequest health_request(const Job& job) const;
  void take(Carrier::Finished answer, Instant now, std::vector<Completion>& finished);
  bool take_health(RequestId id, Job& job, HttpResponse& answer, std::vector<Completion>& finished);
  bool take_refusal_of_gzip(RequestId id, Job& job, const HttpResponse& answer);
  bool weigh(Job& job, const HttpResponse& answer) const;
  void encode_plain(RequestId id, Job& job);
  bool may_go_elsewhere(const Job& job, const HttpResponse& answer, Instant now) const;
  bool is_all(Endpoints::Set hosts) const;
  void note_health(const Job& job, const HttpResponse& answer, Instant now);
  void ask_about(const Job& job);
  void take_about(const HttpResponse& answer);
  void finish(RequestId id, std::vector<Completion>& finished);
  void fail_unsent(RequestId id, Error error, std::vector<Completion>& finished);

  const Options options_;
  Carrier carrier_;
  Endpoints endpoints_;
  std::vector<std::string> channels_;  // of each host; empty: it has none yet
  std::mt19937_64 random_;
  std::map<RequestId, std::unique_ptr<Job>> jobs_;
  std::size_t last_body_ = 0;  // bytes: the next one is about as long
  std::deque<RequestId> to_encode_;
  Endpoints::Set plain_ = 0;  // hosts that were seen not to read gzip
  bool wary_ = true;          // nothing was accepted since something was refused
  enum class About { kDue, kAsked, kKnown } about_;
};

}  // namespace edgehose
