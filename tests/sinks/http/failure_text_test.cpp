#include "sinks/http/failure_text.h"

#include <gmock/gmock.h>

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(OriginOf, IsSchemeHostAndPort) {
  EXPECT_EQ(origin_of("https://host:9200/path?query=1"), "https://host:9200");
  EXPECT_EQ(origin_of("https://host"), "https://host");
  EXPECT_EQ(origin_of("http://[::1]:80?x"), "http://[::1]:80");
  EXPECT_EQ(origin_of("host/path"), "this URL");
}

TEST(OriginOf, HasNoPassword) {
  EXPECT_EQ(origin_of("https://user:canary@host:1/x"), "https://host:1");
  EXPECT_EQ(origin_of("https://user:can@ary@host/x"), "https://host");
  for (const char* url :
       {"https://user:can/ary@host/x", "https://user:can#ary@host", "https://user:can?ary@host/x"})
    EXPECT_EQ(origin_of(url), "this URL") << url;
}

TEST(StrikeOut, TakesOutWhatWasSentInSecret) {
  std::string body = "<m>token canary-token/+= and canary-token/+=, key-of-old</m>";
  strike_out(body,
             {{"x-token", "canary-token/+=", true}, {"x-key", "key-of-old"}, {"x", "m", true}});
  EXPECT_EQ(body, "<m>token *** and ***, key-of-old</m>");
}

TEST(StrikeOut, TakesOutATokenWithoutItsScheme) {
  for (const char* scheme : {"Splunk", "Bearer", "ApiKey"}) {
    std::string body = R"({"text":"Invalid token canary-token","code":4})";
    strike_out(body, {{"authorization", std::string(scheme) + " canary-token", true}});
    EXPECT_EQ(body, R"({"text":"Invalid token ***","code":4})") << scheme;
  }
}

TEST(StrikeOut, TakesOutThePasswordOfAPair) {
  const std::string basic = "Basic d3JpdGVyOmNhbmFyeS1wYXNz";  // writer:canary-pass
  std::string body = basic + ", d3JpdGVyOmNhbmFyeS1wYXNz, writer:canary-pass, canary-pass, writer";
  strike_out(body, {{"authorization", basic, true}});
  EXPECT_EQ(body, "***, ***, ***, ***, writer");
  std::string other = "the password pw of writer";
  strike_out(other, {{"authorization", "Basic d3JpdGVyOnB3", true}});
  EXPECT_EQ(other, "the password pw of writer") << "too short to be looked for";
}

TEST(Shown, WordsThatMayHoldAPasswordAreReplaced) {
  EXPECT_EQ(shown("Could not resolve host: nobody.invalid", "general"),
            "Could not resolve host: nobody.invalid");
  EXPECT_EQ(shown("", "general"), "general");
  EXPECT_EQ(shown("no idea what http://u:canary is", "general"), "general");
  EXPECT_EQ(shown("no idea what u:canary@host is", "general"), "general");
  for (const char* said : {"Unsupported proxy syntax in 'http://u:can#ary@host:1'",
                           "Unsupported proxy scheme for 'ftp://u:can#ary@host:1'",
                           "Unsupported proxy syntax in 'u:can#ary"}) {
    EXPECT_THAT(shown(said, "general"), Not(HasSubstr("ary"))) << said;
    EXPECT_THAT(shown(said, "general"), HasSubstr("%23"));
  }
}

}  // namespace
}  // namespace edgehose
