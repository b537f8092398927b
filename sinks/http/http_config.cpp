#include "sinks/http/http_config.h"

#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

std::string not_a_proxy(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return "must begin with http:// or https://";
  return url.find('@') == std::string::npos
             ? ""
             : "must not hold credentials: give them as \"user\" and \"password\"";
}

Fields<ProxyConfig> proxy_fields() {
  return Fields<ProxyConfig>{
      field<&ProxyConfig::url>("url", "The proxy.")
          .check(not_a_proxy)
          .unset_means("https_proxy, http_proxy and no_proxy of the environment")
          .example("\"http://10.0.0.1:3128\""),
      field<&ProxyConfig::user>("user", "For a proxy that asks who you are."),
      field<&ProxyConfig::password>("password", "That user's password."),
      field<&ProxyConfig::exclude>("exclude",
                                   "Hosts, domains (`.example.com`) and networks (`10.0.0.0/8`) "
                                   "that are reached without the proxy.")
          .example(R"(["10.0.0.0/8"])"),
  }
      .rule({"password", "user"}, [](const ProxyConfig& proxy) {
        return proxy.password.set() && proxy.user.empty() ? "needs a \"user\" beside it" : "";
      });
}

Fields<TlsConfig> tls_fields() {
  return Fields<TlsConfig>{
      field<&TlsConfig::ca_file>("ca_file",
                                 "Certificates to trust, PEM, in place of the system's; beside "
                                 "them where credentials are asked for.")
          .unset_means("the system's")
          .example("\"/etc/edgehose/ca.pem\""),
      field<&TlsConfig::certificate>("certificate",
                                     "This client's certificate with its chain, a PEM file, for "
                                     "servers that ask for one.")
          .example("\"/etc/edgehose/client.pem\""),
      field<&TlsConfig::key>("key", "The private key of `certificate`, PEM."),
      choice<&TlsConfig::min_version>("min_version",
                                      {{"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}},
                                      "The oldest version of TLS that is spoken."),
      field<&TlsConfig::verify>("verify",
                                "`false` sends everything to whoever answers: for a laboratory. It "
                                "is said in the log at every start."),
  }
      .rule({"key", "certificate"}, [](const TlsConfig& tls) {
        return tls.key.set() == tls.certificate.empty() ? "goes with \"certificate\": give both"
                                                        : "";
      });
}

}  // namespace

Fields<HttpConfig> http_fields() {
  return {
      table<&HttpConfig::proxy>("proxy", proxy_fields(),
                                "The way out, where there is no direct one.")
          .example("{ url = \"http://10.0.0.1:3128\" }"),
      table<&HttpConfig::tls>("tls", tls_fields(), "Who is trusted, and who this client is.")
          .example("{ ca_file = \"/etc/edgehose/ca.pem\" }"),
      size_field<&HttpConfig::max_upload_rate>("max_upload_rate",
                                               "Bytes a second that this sink sends at most.")
          .range(kSlowestUpload, kFastestUpload)
          .unset_means("no limit")
          .example("\"50KiB\""),
  };
}

}  // namespace edgehose
