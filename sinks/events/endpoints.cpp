#include "sinks/events/endpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/base/check.h"

namespace edgehose {
namespace {

constexpr double kNews = 0.3;          // how much the last answer counts
constexpr double kLeastHealth = 0.05;  // so that one that is well again is found out

bool has(Endpoints::Set set, std::size_t host) { return (set >> host & 1) != 0; }

std::string_view authority_of(std::string_view url) {
  const std::size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

}  // namespace

std::string not_an_endpoint(const std::string& url) {
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    return "must begin with https:// or http://";
  const std::string_view authority = authority_of(url);
  if (authority.find('@') != std::string_view::npos)
    return "must not hold credentials: give them as \"auth\"";
  if (authority.empty() || authority.front() == ':' ||
      url.find_first_of("?# \t\"<>\\^`{|}") != std::string::npos)
    return "is no address such as \"https://es1:9200\" (no query)";
  return {};
}

std::string wrong_number_of_endpoints(const std::vector<std::string>& urls) {
  if (urls.empty()) return "must name one at least";
  return urls.size() > Endpoints::kMost ? fmt::format("are more than {}", Endpoints::kMost) : "";
}

bool in_the_clear(std::string_view url) {
  if (url.starts_with("https://")) return false;
  const std::string_view authority = authority_of(url);
  return !authority.starts_with("127.") && !authority.starts_with("localhost") &&
         !authority.starts_with("[::1]");
}

Endpoints::Endpoints(std::vector<std::string> urls) {
  EH_CHECK(!urls.empty() && urls.size() <= kMost);
  for (std::string& url : urls) {
    while (url.ends_with('/')) url.pop_back();
    hosts_.push_back({std::move(url)});
  }
}

std::size_t Endpoints::find(std::string_view url) const {
  return static_cast<std::size_t>(std::ranges::find(hosts_, url, &Host::url) - hosts_.begin());
}

bool Endpoints::any_healthy(Instant now, Set without) const {
  for (std::size_t i = 0; i < hosts_.size(); ++i)
    if (!has(without, i) && is_healthy(hosts_[i], now)) return true;
  return false;
}

std::size_t Endpoints::choose(Instant now, std::uint64_t random, Set without) const {
  double all = 0;
  std::size_t soonest = 0;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (!has(without, i) && is_healthy(hosts_[i], now)) all += hosts_[i].health;
    const bool sooner = hosts_[i].rests_until < hosts_[soonest].rests_until;
    if (!has(without, i) && (has(without, soonest) || sooner)) soonest = i;
  }
  double at = all * static_cast<double>(random) / 0x1p64;
  std::size_t chosen = soonest;  // where all of them rest
  for (std::size_t i = 0; i < hosts_.size() && at >= 0; ++i) {
    if (has(without, i) || !is_healthy(hosts_[i], now)) continue;
    chosen = i;
    at -= hosts_[i].health;
  }
  return chosen;
}

void Endpoints::answered(std::size_t host) {
  Host& h = hosts_[host];
  h.failures = 0;
  h.rests_until = {};
  h.health += kNews * (1 - h.health);
}

void Endpoints::failed(std::size_t host, Instant now) {
  Host& h = hosts_[host];
  constexpr unsigned kDoublings = 16;
  const Duration rest = kShortestRest * (1u << std::min(h.failures, kDoublings));
  h.rests_until = now + std::min(rest, kLongestRest);
  ++h.failures;
  h.health = std::max(kLeastHealth, h.health * (1 - kNews));
}

}  // namespace edgehose
