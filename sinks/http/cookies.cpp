#include "sinks/http/cookies.h"

#include "agent/base/check.h"

namespace edgehose {

Cookies::Cookies() : share_(curl_share_init()) {
  EH_CHECK(share_ != nullptr);
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
}

Cookies::~Cookies() { curl_share_cleanup(share_); }

void Cookies::bound(CURL* exchange) {
  curl_slist* kept = nullptr;
  if (curl_easy_getinfo(exchange, CURLINFO_COOKIELIST, &kept) != CURLE_OK) return;
  std::size_t count = 0;
  for (const curl_slist* one = kept; one != nullptr; one = one->next) ++count;
  curl_slist_free_all(kept);
  if (count > kMost) curl_easy_setopt(exchange, CURLOPT_COOKIELIST, "ALL");
}

}  // namespace edgehose
