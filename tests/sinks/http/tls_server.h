// TlsServer: a FaultServer that speaks TLS as localhost, and what a test tells and asks it. Its
// certificate is by an authority made for the test: TestCertificates.
// Threading: one thread.
#pragma once

#include <filesystem>

#include "tests/sinks/http/fault_server.h"

namespace edgehose {

// Those of tests/support/make_certs.sh, in a directory of their own.
class TestCertificates {
 public:
  TestCertificates() {
    char name[] = "/tmp/edgehose-certs-XXXXXX";
    directory_ = ::mkdtemp(name);
    const std::string command =
        "bash " EDGEHOSE_SOURCE_DIR "/tests/support/make_certs.sh " + directory_;
    if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
  }
  ~TestCertificates() { std::filesystem::remove_all(directory_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string file(const std::string& name) const { return directory_ + "/" + name; }

 private:
  std::string directory_;
};

class TlsServer {
 public:
  // It takes only clients that show a certificate, where it `asks_for_one`.
  explicit TlsServer(const TestCertificates& certificates, bool asks_for_one = false)
      : server_(arguments(certificates, asks_for_one)) {
    TlsConfig& tls = trusting_.config.tls;
    tls.ca_file = certificates.file("ca.pem");
    tls.certificate = certificates.file("client.pem");
    tls.key = {SecretRef::Kind::kFile, certificates.file("client.key"), {}};
  }
  const std::string& port() const { return server_.port(); }
  std::string url(const std::string& path) const { return "https://localhost:" + port() + path; }

  void faults(const std::vector<nlohmann::json>& faults) {
    ask({.method = "POST",
         .url = url("/__faults"),
         .body = body_of(nlohmann::json(faults).dump())});
  }
  nlohmann::json log() {
    return nlohmann::json::parse(
        ask({.method = "GET", .url = url("/__log"), .response_limit = 1 << 20}));
  }

 private:
  static std::vector<std::string> arguments(const TestCertificates& certificates,
                                            bool asks_for_one) {
    std::vector<std::string> all{"--tls", certificates.file("server.pem"),
                                 certificates.file("server.key")};
    if (asks_for_one) all.insert(all.end(), {"--client-ca", certificates.file("ca.pem")});
    return all;
  }
  std::string ask(HttpRequest request) {
    HttpClient client(trusting_, *clock_);
    HttpResponse response = exchange(client, *clock_, std::move(request));
    if (response.status != 200) throw std::runtime_error(response.problem);
    return std::move(response.body);
  }

  FaultServer server_;
  HttpClientOptions trusting_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
};

}  // namespace edgehose
