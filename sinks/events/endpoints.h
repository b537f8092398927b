// Endpoints: which of a sink's hosts is asked next. Pure: time and chance are given.
//
// Hosts are chosen by chance, weighted by how often they answered lately. One that failed rests,
// twice as long after each failure in a row, while another does not; where all of them rest the
// one is asked whose rest ends first. So one is always asked, and a healthy one if there is any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"

namespace edgehose {

// What is wrong with "https://es1:9200/prefix" as the address of a service; or nothing.
std::string not_an_endpoint(const std::string& url);
// The same of how many there are.
std::string wrong_number_of_endpoints(const std::vector<std::string>& urls);
// Whether what is sent there can be read on the way, by others than this machine's programs.
bool in_the_clear(std::string_view url);

class Endpoints {
 public:
  static constexpr std::size_t kMost = 16;
  static constexpr Duration kShortestRest = std::chrono::seconds(2);
  static constexpr Duration kLongestRest = std::chrono::minutes(5);

  // At least one.
  explicit Endpoints(std::vector<std::string> urls);

  std::size_t size() const { return hosts_.size(); }
  const std::string& url(std::size_t host) const { return hosts_[host].url; }
  std::size_t find(std::string_view url) const;  // size(): it is none of them

  // Hosts by number, of which those set in `without` are not asked.
  using Set = std::uint32_t;
  std::size_t choose(Instant now, std::uint64_t random, Set without = 0) const;
  bool any_healthy(Instant now, Set without) const;
  void answered(std::size_t host);
  void failed(std::size_t host, Instant now);

 private:
  struct Host {
    std::string url;        // without a '/' at its end
    double health = 1;      // a running mean: 1 where it answers, towards 0 where it fails
    unsigned failures = 0;  // in a row
    Instant rests_until{};
  };
  bool is_healthy(const Host& host, Instant now) const { return host.rests_until <= now; }

  std::vector<Host> hosts_;
};

}  // namespace edgehose
