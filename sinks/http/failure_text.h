// What a failure of an exchange may say of itself: not what may be secret. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sinks/http_message.h"

namespace edgehose {

// "https://host:9200" of a URL: no path, no query, no user and password; "this URL" where they
// cannot be told apart.
std::string origin_of(std::string_view url);

// Puts "***" wherever a body repeats the value of a secret header that was sent, what stands behind
// its scheme ("Bearer TOKEN"), or what that is in Base64 ("Basic ..."): the pair, and its password.
// Less than 8 bytes are not looked for.
void strike_out(std::string& body, const std::vector<HttpHeader>& sent);

// True: libcurl complains of the proxy's URL, and its words repeat it, the password included.
bool blames_proxy_url(std::string_view curl_says);

// libcurl's words; where there are none, or they may show a URL, `general` ones in their place.
std::string shown(std::string_view curl_says, std::string_view general);

}  // namespace edgehose
