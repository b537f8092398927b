#include "sinks/http/http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "agent/base/check.h"
#include "agent/base/file.h"
#include "sinks/http/exchange.h"

namespace edgehose {
namespace {

constexpr long kIdleConnections = 8;
constexpr int kStallChecks = 12;  // in a window

void initialise_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  EH_CHECK(done == CURLE_OK);
}

HttpClientOptions with_own_budget(HttpClientOptions options) {
  if (options.config.max_upload_rate)
    options.budgets.push_back(std::make_shared<UploadBudget>(*options.config.max_upload_rate));
  return options;
}

}  // namespace

// libcurl says which sockets matter and when it wants to be called; an epoll descriptor, which is
// itself readable when one of its members is ready, makes one descriptor of them.
class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, const Clock& clock)
      : context_{with_own_budget(std::move(options)), clock, {}},
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    initialise_once();
    EH_CHECK(epoll_.valid());
    if (context_.options.cookies) context_.cookies = &cookies_.emplace();
    multi_ = curl_multi_init();
    EH_CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::watch_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::set_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
  }
  ~Impl() {
    abandon();
    curl_multi_cleanup(multi_);
  }

  void start(std::uint64_t id, HttpRequest request) {
    auto exchange = std::make_unique<Exchange>(id, std::move(request), context_);
    if (auto failure = exchange->prepare()) {
      refused_.push_back({id, std::move(*failure)});
      return;
    }
    EH_CHECK(curl_multi_add_handle(multi_, exchange->handle()) == CURLM_OK);
    const bool fresh = exchanges_.emplace(id, std::move(exchange)).second;
    EH_CHECK(fresh);
  }

  Instant step(std::vector<Finished>& finished) {
    std::move(refused_.begin(), refused_.end(), std::back_inserter(finished));
    refused_.clear();
    serve_sockets();
    const Instant now = context_.clock.now();
    if (now >= timer_) serve_timer();
    resume_paused(now);
    charge_budgets();
    take_finished(finished);
    end_stalled(now, finished);
    return next_step();
  }

  void abandon() {
    for (const auto& [id, exchange] : exchanges_)
      curl_multi_remove_handle(multi_, exchange->handle());
    exchanges_.clear();
    refused_.clear();
  }

  bool idle() const { return exchanges_.empty() && refused_.empty(); }
  int descriptor() const { return epoll_.get(); }
  WireBytes wire_bytes() const { return context_.sockets.total(); }

 private:
  static int watch_socket(CURL* handle, curl_socket_t fd, int what, void* self, void*) {
    const int epoll = static_cast<Impl*>(self)->epoll_.get();
    Exchange* exchange = nullptr;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &exchange);
    if (exchange != nullptr) exchange->set_socket(what == CURL_POLL_REMOVE ? -1 : fd);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
      return 0;
    }
    epoll_event event{};
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    event.data.fd = fd;
    if (::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0)
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return 0;
  }

  static int set_timer(CURLM*, long milliseconds, void* self) {
    Impl& impl = *static_cast<Impl*>(self);
    impl.timer_ = milliseconds < 0
                      ? kNever
                      : impl.context_.clock.now() + std::chrono::milliseconds(milliseconds);
    return 0;
  }

  void serve_sockets() {
    std::array<epoll_event, 32> events;
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), 0);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      int mask = 0;
      if (event.events & EPOLLIN) mask |= CURL_CSELECT_IN;
      if (event.events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
      if (event.events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
      int running = 0;
      curl_multi_socket_action(multi_, event.data.fd, mask, &running);
    }
  }

  void serve_timer() {
    timer_ = kNever;
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }

  void resume_paused(Instant now) {
    for (const auto& [id, exchange] : exchanges_)
      if (exchange->resume_at(now) <= now) exchange->resume();
  }

  // Bodies are paid for before they are sent; what went out beside them is owed.
  void charge_budgets() {
    if (context_.options.budgets.empty()) return;
    const std::uint64_t sent = context_.sockets.total().sent;
    const std::uint64_t paid = context_.body_bytes + charged_;
    if (sent <= paid) return;
    const auto owed = static_cast<std::size_t>(sent - paid);  // since the last turn
    for (const auto& budget : context_.options.budgets) budget->charge(owed);
    charged_ += owed;
  }

  void take_finished(std::vector<Finished>& finished) {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Exchange* exchange = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
      const CURLcode code = message->data.result;
      finish(*exchange, exchange->conclude(code), finished);
    }
  }

  void end_stalled(Instant now, std::vector<Finished>& finished) {
    if (now < next_stall_check_) return;
    next_stall_check_ = now + context_.options.stall.window / kStallChecks;
    std::vector<Exchange*> stalled;
    for (const auto& [id, exchange] : exchanges_)
      if (exchange->stalled(now)) stalled.push_back(exchange.get());
    for (Exchange* exchange : stalled) finish(*exchange, exchange->conclude_stalled(), finished);
  }

  void finish(Exchange& exchange, HttpResponse response, std::vector<Finished>& finished) {
    const std::uint64_t id = exchange.id();
    curl_multi_remove_handle(multi_, exchange.handle());
    if (cookies_) cookies_->bound(exchange.handle());
    exchanges_.erase(id);
    finished.push_back({id, std::move(response)});
  }

  Instant next_step() const {
    if (!refused_.empty()) return context_.clock.now();
    if (exchanges_.empty()) return kNever;
    Instant next = std::min(timer_, next_stall_check_);
    for (const auto& [id, exchange] : exchanges_)
      next = std::min(next, exchange->resume_at(context_.clock.now()));
    return next;
  }

  ExchangeContext context_;
  FileDescriptor epoll_;
  CURLM* multi_ = nullptr;
  std::optional<Cookies> cookies_;  // outlives the exchanges
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::vector<Finished> refused_;  // that could not be sent at all
  std::uint64_t charged_ = 0;      // to the budgets, beside bodies
  Instant timer_ = kNever;         // libcurl's
  Instant next_stall_check_{};
};

HttpClient::HttpClient(HttpClientOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
HttpClient::~HttpClient() = default;
void HttpClient::start(std::uint64_t id, HttpRequest request) {
  impl_->start(id, std::move(request));
}
Instant HttpClient::step(std::vector<Finished>& finished) { return impl_->step(finished); }
void HttpClient::abandon() { impl_->abandon(); }
bool HttpClient::idle() const { return impl_->idle(); }
int HttpClient::descriptor() const { return impl_->descriptor(); }
WireBytes HttpClient::wire_bytes() const { return impl_->wire_bytes(); }

}  // namespace edgehose
