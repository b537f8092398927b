#include "tests/sim/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "sinks/aws/environment.h"
#include "sinks/http/http_client.h"
#include "tests/sim/services.h"

namespace edgehose::sim {
namespace {

constexpr std::size_t kLateKept = 32;
constexpr Duration kPatience = StallLimits{}.answer;
constexpr WallTime kStart(1'700'000'000'000'000'000);  // as ManualClock has it

struct Exchange {
  std::vector<HttpClient::Finished>* answers;  // of its client
  std::uint64_t id;
  Instant since;
  Sent sent;
};

struct State {
  Servers* servers = nullptr;
  const Clock* clock = nullptr;
  Instant begin{};
  std::vector<Exchange> exchanges;
  std::deque<Sent> late;
  std::set<std::string> down;  // hosts
};
State& state() {
  static State the_state;
  return the_state;
}

// Whatever the device's wall clock says.
WallTime true_time() {
  return WallTime(kStart.value + state().clock->now().time_since_epoch().count());
}

HttpResponse silence(HttpFailure failure, bool maybe_arrived) {
  HttpResponse answer;
  answer.failure = failure;
  answer.problem = "as the simulation has it";
  answer.maybe_arrived = maybe_arrived;
  return answer;
}

// "https://host/path?query"
Sent sent_of(const HttpRequest& request, std::string body) {
  const std::size_t host = request.url.find("://") + 3;
  const std::size_t path = std::min(request.url.find('/', host), request.url.size());
  const std::size_t query = std::min(request.url.find('?', path), request.url.size());
  Sent sent;
  sent.method = request.method;
  sent.host = request.url.substr(host, path - host);
  sent.path = request.url.substr(path, query - path);
  sent.query = request.url.substr(std::min(query + 1, request.url.size()));
  for (const HttpHeader& header : request.headers)
    sent.headers[aws::lower_case(header.name)] = header.value;
  sent.body = std::move(body);
  sent.once = request.once;
  return sent;
}

void keep_late(Sent sent) {
  State& s = state();
  s.late.push_back(std::move(sent));
  if (s.late.size() > kLateKept) s.late.pop_front();
}

HttpResponse say(const Sent& sent, bool busy, Random& chance) {
  return serve(sent, *state().servers, busy, /*late=*/false, true_time(), chance);
}

HttpResponse outcome(const Sent& sent, Fate fate, bool twice, Random& chance) {
  if (state().down.contains(sent.host)) return silence(HttpFailure::kConnect, false);
  switch (fate) {
    case Fate::kUnreached: return silence(HttpFailure::kConnect, false);
    case Fate::kDenied: return denial(sent);
    case Fate::kStranger: return stranger();
    default: break;
  }
  if (twice && !sent.once) say(sent, false, chance);
  HttpResponse answer = say(sent, fate == Fate::kBusy, chance);
  return fate == Fate::kLost ? silence(HttpFailure::kReset, true) : answer;
}

}  // namespace

Result<std::string> read_all(ByteSource& source) {
  EH_ASSIGN(const auto stream, source.open());
  std::string bytes, piece(1 << 16, '\0');
  for (;;) {
    EH_ASSIGN(const std::size_t read, stream->read(piece.data(), piece.size()));
    if (read == 0) return bytes;
    bytes.append(piece, 0, read);
  }
}

namespace network {

void begin(Servers& servers, const Clock& clock) {
  state() = State{};
  state().servers = &servers;
  state().clock = &clock;
}

Load under_way() { return under_way(""); }

Load under_way(std::string_view sink) {
  Load load;
  for (const Exchange& exchange : state().exchanges) {
    if (!is_host_of(exchange.sent.host, sink)) continue;
    ++load.all;
    load.with_body += exchange.sent.body.empty() ? 0 : 1;
  }
  return load;
}

void answer(std::size_t which, Fate fate, bool twice, Random& chance) {
  auto& exchanges = state().exchanges;
  if (exchanges.empty()) return;
  const auto at = exchanges.begin() + static_cast<std::ptrdiff_t>(which % exchanges.size());
  const Exchange exchange = std::move(*at);
  exchanges.erase(at);
  HttpResponse answer = outcome(exchange.sent, fate, twice, chance);
  if (exchange.sent.method == "HEAD") answer.body.clear();
  exchange.answers->push_back({exchange.id, std::move(answer)});
}

void turn(std::string_view sink, unsigned host) {
  const std::string name = host_name(sink, host);
  if (state().down.erase(name) == 0) state().down.insert(name);
}

void all_are_there() { state().down.clear(); }

std::size_t late() { return state().late.size(); }

void arrive_late(std::size_t which, Random& chance) {
  State& s = state();
  if (s.late.empty()) return;
  const auto at = s.late.begin() + static_cast<std::ptrdiff_t>(which % s.late.size());
  const Sent sent = std::move(*at);
  s.late.erase(at);
  serve(sent, *s.servers, false, /*late=*/true, true_time(), chance);
}

void never_arrive(std::size_t which) {
  auto& late = state().late;
  if (!late.empty()) late.erase(late.begin() + static_cast<std::ptrdiff_t>(which % late.size()));
}

}  // namespace network
}  // namespace edgehose::sim

// In the place of the real one, for this program.
namespace edgehose {

namespace {
auto& exchanges() { return sim::state().exchanges; }
}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(const Clock& clock) : clock_(clock) {}
  ~Impl() { abandon(); }

  void start(std::uint64_t id, const HttpRequest& request) {
    std::string body;
    if (request.body) {
      auto bytes = sim::read_all(*request.body);
      if (!bytes) {
        answers_.push_back({id, sim::silence(HttpFailure::kBody, false)});
        return;
      }
      body = *std::move(bytes);
      if (body.size() != request.body->size())
        throw sim::Broken{"a request's body is not as long as it says"};
    }
    exchanges().push_back({&answers_, id, clock_.now(), sim::sent_of(request, std::move(body))});
  }

  Instant step(std::vector<Finished>& finished) {
    const Instant now = clock_.now();
    Instant next = kNever;
    std::erase_if(exchanges(), [&](sim::Exchange& exchange) {
      if (exchange.answers != &answers_) return false;
      const Instant end = exchange.since + sim::kPatience;
      if (end > now) {
        next = std::min(next, end);
        return false;
      }
      sim::keep_late(std::move(exchange.sent));
      answers_.push_back({exchange.id, sim::silence(HttpFailure::kStalled, true)});
      return true;
    });
    std::move(answers_.begin(), answers_.end(), std::back_inserter(finished));
    answers_.clear();
    return next;
  }

  void abandon() {
    std::erase_if(exchanges(), [&](sim::Exchange& exchange) {
      if (exchange.answers != &answers_) return false;
      sim::keep_late(std::move(exchange.sent));
      return true;
    });
    answers_.clear();
  }

  bool idle() const {
    return answers_.empty() && std::ranges::none_of(exchanges(), [&](const sim::Exchange& e) {
             return e.answers == &answers_;
           });
  }

 private:
  const Clock& clock_;
  std::vector<Finished> answers_;
};

HttpClient::HttpClient(HttpClientOptions, const Clock& clock)
    : impl_(std::make_unique<Impl>(clock)) {}
HttpClient::~HttpClient() = default;
void HttpClient::start(std::uint64_t id, HttpRequest request) { impl_->start(id, request); }
Instant HttpClient::step(std::vector<Finished>& finished) { return impl_->step(finished); }
void HttpClient::abandon() { impl_->abandon(); }
bool HttpClient::idle() const { return impl_->idle(); }
int HttpClient::descriptor() const { return -1; }
WireBytes HttpClient::wire_bytes() const { return {}; }

}  // namespace edgehose
