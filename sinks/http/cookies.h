// Cookies: what servers ask to be told with the next request, of all exchanges of a client, in
// memory only. A balancer names by one the server behind it that knows a client.
//
// Threading: the thread of its client, which outlives none of its exchanges.
// Bounded: kMost cookies; libcurl takes none that is longer than 5 KB.
#pragma once

#include <curl/curl.h>

#include <cstddef>

namespace edgehose {

class Cookies {
 public:
  static constexpr std::size_t kMost = 64;

  Cookies();
  ~Cookies();
  Cookies(const Cookies&) = delete;
  Cookies& operator=(const Cookies&) = delete;

  CURLSH* share() const { return share_; }
  // After an exchange: where a server gives ever new ones all of them are forgotten.
  void bound(CURL* exchange);

 private:
  CURLSH* const share_;
};

}  // namespace edgehose
