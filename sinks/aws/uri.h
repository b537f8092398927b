// Percent-encoding and paths as AWS's signatures define them (RFC 3986, upper-case digits).
//
// Threading: pure.
#pragma once

#include <string>
#include <string_view>

namespace edgehose::aws {

// A-Z a-z 0-9 - . _ ~ stay, and '/' where it is kept; every other byte is %XX.
enum class Slash { kKept, kEncoded };
std::string uri_encode(std::string_view text, Slash slash);

// %XX becomes its byte; what is no escape stays as it is, '+' too.
std::string uri_decode(std::string_view text);

// Without empty and "." segments, ".." goes up (RFC 3986 section 5.2.4, never above the root). A
// trailing '/' stays. An empty path is "/".
std::string normalise_path(std::string_view path);

// The host of "https://host:8080/path" with its brackets where it is an IPv6 address, without port
// and user. Empty: there is none.
std::string_view host_of(std::string_view url);
// The same with the port: what a client sends as Host, but for a port that is the scheme's own.
std::string_view authority_of(std::string_view url);

}  // namespace edgehose::aws
