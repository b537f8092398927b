#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/base/text.h"
#include "sinks/http/ca_bundle.h"
#include "tests/sinks/http/fault_server.h"
#include "tests/sinks/http/tls_server.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HttpTlsTest : public ::testing::Test {
 protected:
  static std::string file(const std::string& name) {
    static const TestCertificates certificates;
    return certificates.file(name);
  }

  static std::string url(const FaultServer& server) {
    return "https://localhost:" + server.port() + "/x";
  }
  static SecretRef secret_file(const std::string& path) {
    SecretRef secret;
    secret.kind = SecretRef::Kind::kFile;
    secret.where = path;
    return secret;
  }
  HttpResponse put(const std::string& to) {
    HttpClient client(options_, *clock_);
    return exchange(client, *clock_, {.method = "PUT", .url = to, .body = body_of("1")});
  }
  std::unique_ptr<Clock> clock_ = make_system_clock();
  HttpClientOptions options_;
};

TEST_F(HttpTlsTest, ATrustedServerIsVerified) {
  const FaultServer server({"--tls", file("server.pem"), file("server.key")});
  options_.config.tls.ca_file = file("ca.pem");
  const HttpResponse response = put(url(server));
  EXPECT_EQ(response.status, 200) << response.problem;
  EXPECT_TRUE(response.verified);
}

TEST_F(HttpTlsTest, AnUnknownAuthorityIsRefusedAndTheTrustedPlacesNamed) {
  const FaultServer server({"--tls", file("server.pem"), file("server.key")});
  const HttpResponse response = put(url(server));
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.failure, HttpFailure::kTls) << response.problem;
  EXPECT_THAT(response.problem, HasSubstr(*find_ca_bundle("")));
  EXPECT_FALSE(response.maybe_arrived);
}

TEST_F(HttpTlsTest, AnotherHostsCertificateIsRefused) {
  const FaultServer server({"--tls", file("client.pem"), file("client.key")});
  options_.config.tls.ca_file = file("ca.pem");
  EXPECT_EQ(put(url(server)).failure, HttpFailure::kTls);
}

TEST_F(HttpTlsTest, ACertificateNotValidYetIsAMatterOfTheClock) {
  const FaultServer server({"--tls", file("future.pem"), file("server.key")});
  options_.config.tls.ca_file = file("ca.pem");
  const HttpResponse response = put(url(server));
  EXPECT_EQ(response.failure, HttpFailure::kClock) << response.problem;
  EXPECT_THAT(response.problem, HasSubstr("this machine's clock says 20"));
}

TEST_F(HttpTlsTest, VerificationIsOffOnlyWhereItIsSaid) {
  const FaultServer server({"--tls", file("server.pem"), file("server.key")});
  options_.config.tls.verify = false;
  const HttpResponse response = put(url(server));
  EXPECT_EQ(response.status, 200) << response.problem;
  EXPECT_FALSE(response.verified) << "its Date is not to be believed";
}

TEST_F(HttpTlsTest, AClientCertificateIsShown) {
  const FaultServer server(
      {"--tls", file("server.pem"), file("server.key"), "--client-ca", file("ca.pem")});
  options_.config.tls.ca_file = file("ca.pem");
  EXPECT_NE(put(url(server)).status, 200);
  options_.config.tls.certificate = file("client.pem");
  options_.config.tls.key = secret_file(file("client.key"));
  EXPECT_EQ(put(url(server)).status, 200);
}

TEST_F(HttpTlsTest, AnOlderTlsThanTheConfigAllowsIsNotSpoken) {
  const FaultServer server({"--tls", file("server.pem"), file("server.key"), "--old-tls"});
  options_.config.tls.ca_file = file("ca.pem");
  EXPECT_EQ(put(url(server)).status, 200);
  options_.config.tls.min_version = TlsVersion::k13;
  const HttpResponse response = put(url(server));
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.failure, HttpFailure::kTls) << response.problem;
}

TEST_F(HttpTlsTest, AMissingKeyIsASetupThatIsTold) {
  options_.config.tls.certificate = file("client.pem");
  options_.config.tls.key = secret_file(file("nobody.key"));
  const HttpResponse response = put("https://localhost:1/x");
  EXPECT_EQ(response.failure, HttpFailure::kSetup);
  EXPECT_THAT(response.problem, HasSubstr("nobody.key"));
}

TEST_F(HttpTlsTest, MissingCertificatesToTrustNameWhatWasTried) {
  ::unsetenv("SSL_CERT_FILE");
  const char* const places[] = {"/nonexistent/a.crt", "/nonexistent/b.pem"};
  const auto found = find_ca_bundle("", places);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("/nonexistent/a.crt, /nonexistent/b.pem"));
  EXPECT_THAT(found.error().message, HasSubstr("ca-certificates"));
  options_.config.tls.ca_file = "/nonexistent/ca.pem";
  EXPECT_EQ(put("https://localhost:1/x").failure, HttpFailure::kSetup);
}

// --- proxies -------------------------------------------------------------------------------------

TEST_F(HttpTlsTest, AProxyCarriesHttpAndHttpsForWhoKnowsItsPassword) {
  const FaultServer proxy({"--proxy", "device:pa:ss"});
  const FaultServer plain;
  const FaultServer tls({"--tls", file("server.pem"), file("server.key")});
  std::ofstream(file("password")) << "pa:ss\n";
  options_.config.tls.ca_file = file("ca.pem");
  options_.config.proxy.url = proxy.url("");
  options_.config.proxy.user = "device";
  options_.config.proxy.password = secret_file(file("password"));
  const HttpResponse http = put(plain.url("/x"));
  EXPECT_EQ(http.status, 200) << http.problem;
  EXPECT_NE(http.header("via"), nullptr);
  const HttpResponse https = put(url(tls));
  EXPECT_EQ(https.status, 200) << https.problem;
  EXPECT_TRUE(https.verified);
}

TEST_F(HttpTlsTest, AProxyOverTlsIsVerifiedToo) {
  const FaultServer proxy(
      {"--proxy", "device:word", "--tls", file("server.pem"), file("server.key")});
  const FaultServer plain;
  const FaultServer tls({"--tls", file("server.pem"), file("server.key")});
  std::ofstream(file("password")) << "word\n";
  options_.config.proxy.url = "https://localhost:" + proxy.port();
  options_.config.proxy.user = "device";
  options_.config.proxy.password = secret_file(file("password"));
  EXPECT_EQ(put(plain.url("/x")).status, 0) << "its authority is not known";
  options_.config.tls.ca_file = file("ca.pem");
  const HttpResponse http = put(plain.url("/x"));
  EXPECT_EQ(http.status, 200) << http.problem;
  EXPECT_NE(http.header("via"), nullptr);
  const HttpResponse https = put(url(tls));
  EXPECT_EQ(https.status, 200) << https.problem;
  EXPECT_TRUE(https.verified);
}

TEST_F(HttpTlsTest, AProxyOverTlsSpeaksNoOlderTlsEither) {
  const FaultServer proxy(
      {"--proxy", "device:word", "--tls", file("server.pem"), file("server.key"), "--old-tls"});
  const FaultServer plain;
  std::ofstream(file("password")) << "word\n";
  options_.config.proxy.url = "https://localhost:" + proxy.port();
  options_.config.proxy.user = "device";
  options_.config.proxy.password = secret_file(file("password"));
  options_.config.tls.ca_file = file("ca.pem");
  EXPECT_EQ(put(plain.url("/x")).status, 200);
  options_.config.tls.min_version = TlsVersion::k13;
  EXPECT_EQ(put(plain.url("/x")).status, 0);
}

TEST_F(HttpTlsTest, TheEnvironmentsProxyOverTlsIsVerifiedByTheConfigsAuthority) {
  const FaultServer proxy(
      {"--proxy", "device:word", "--tls", file("server.pem"), file("server.key")});
  const FaultServer plain;
  const std::string url = "https://device:word@localhost:" + proxy.port();
  ::setenv("http_proxy", url.c_str(), 1);
  const HttpResponse unknown = put(plain.url("/x"));
  options_.config.tls.ca_file = file("ca.pem");
  const HttpResponse known = put(plain.url("/x"));
  ::unsetenv("http_proxy");
  EXPECT_EQ(unknown.status, 0);
  EXPECT_EQ(known.status, 200) << known.problem;
}

TEST_F(HttpTlsTest, AProxyThatRefusesIsToldAsOne) {
  const FaultServer proxy({"--proxy", "device:other"});
  const FaultServer tls({"--tls", file("server.pem"), file("server.key")});
  options_.config.tls.ca_file = file("ca.pem");
  options_.config.proxy.url = proxy.url("");
  const HttpResponse response = put(url(tls));
  EXPECT_EQ(response.failure, HttpFailure::kProxy) << response.problem;
  EXPECT_THAT(response.problem, HasSubstr("407"));
}

TEST_F(HttpTlsTest, WhatIsExcludedGoesDirectly) {
  const FaultServer proxy({"--proxy", "nobody:else"});
  const FaultServer plain;
  options_.config.proxy.url = proxy.url("");
  options_.config.proxy.exclude = {"127.0.0.0/8"};
  const HttpResponse response = put(plain.url("/x"));
  EXPECT_EQ(response.status, 200) << response.problem;
  EXPECT_EQ(response.header("via"), nullptr);
}

// libcurl repeats such a URL in its words.
TEST_F(HttpTlsTest, AProxysUrlThatCannotBeReadIsNotShown) {
  for (const char* url : {"http://alice:can#ary@127.0.0.1:3128", "ftp://alice:canary@127.0.0.1:1",
                          "http://alice:can/ary@127.0.0.1:3128", "alice:can ary@127.0.0.1:3128",
                          "http://alice:canary@127.0.0.1:99999"}) {
    ::setenv("http_proxy", url, 1);
    const HttpResponse response = put("http://127.0.0.1:1/x");
    ::unsetenv("http_proxy");
    EXPECT_EQ(response.failure, HttpFailure::kProxy) << response.problem;
    EXPECT_THAT(response.problem, Not(HasSubstr("ary"))) << url;
    EXPECT_THAT(response.problem, HasSubstr("http_proxy"));
  }
}

TEST_F(HttpTlsTest, TheEnvironmentsProxyIsUsed) {
  const FaultServer proxy({"--proxy", "nobody:else"});
  const FaultServer tls({"--tls", file("server.pem"), file("server.key")});
  options_.config.tls.ca_file = file("ca.pem");
  ::setenv("https_proxy", proxy.url("").c_str(), 1);
  const HttpResponse refused = put(url(tls));
  ::setenv("no_proxy", "localhost", 1);
  const HttpResponse direct = put(url(tls));
  ::unsetenv("https_proxy");
  ::unsetenv("no_proxy");
  EXPECT_EQ(refused.failure, HttpFailure::kProxy) << refused.problem;
  EXPECT_EQ(direct.status, 200) << direct.problem;
}

}  // namespace
}  // namespace edgehose
