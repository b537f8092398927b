#include "sinks/aws/credentials_config.h"

#include "agent/config/field.h"

namespace edgehose::aws {

using namespace config;

namespace {

std::string not_an_arn(const std::string& arn) {
  return arn.empty() || arn.starts_with("arn:")
             ? ""
             : "must be a role's ARN (\"arn:aws:iam::123456789012:role/NAME\")";
}

std::string not_a_host(const std::string& host) {
  return host.find_first_of("/: ") == std::string::npos
             ? ""
             : "must be a host name without https:// and path";
}

// Required where the table is given at all, which a rule says: an absent table is a table of
// defaults.
std::string iot_is_incomplete(const IotConfig& iot) {
  const bool any = !iot.endpoint.empty() || !iot.role_alias.empty() || !iot.thing_name.empty() ||
                   !iot.certificate.empty() || !iot.private_key.empty() || !iot.ca_file.empty();
  const bool all = !iot.endpoint.empty() && !iot.role_alias.empty() && !iot.certificate.empty() &&
                   !iot.private_key.empty();
  return !any || all ? "" : "iot needs endpoint, role_alias, certificate and private_key";
}

Fields<IotConfig> iot_fields() {
  return Fields<IotConfig>{
      field<&IotConfig::endpoint>("endpoint",
                                  "The account's credentials endpoint: `aws iot describe-endpoint "
                                  "--endpoint-type iot:CredentialProvider` tells it.")
          .check(not_a_host)
          .example("\"c1example.credentials.iot.eu-west-1.amazonaws.com\""),
      field<&IotConfig::role_alias>("role_alias", "The role alias to exchange for credentials."),
      field<&IotConfig::thing_name>("thing_name", "The thing's name, where policies ask for it."),
      field<&IotConfig::certificate>("certificate", "The device's certificate (PEM).")
          .check(not_absolute),
      field<&IotConfig::private_key>("private_key", "Its private key (PEM).").check(not_absolute),
      field<&IotConfig::ca_file>("ca_file", "Whom to trust (PEM).")
          .check(not_absolute)
          .unset_means("the system's authorities"),
  }
      .rule({"endpoint", "role_alias", "certificate", "private_key"}, iot_is_incomplete);
}

Fields<Role> role_fields() {
  return Fields<Role>{
      field<&Role::arn>("role_arn", "The role to assume.").check(not_an_arn),
      field<&Role::external_id>("external_id", "What the role's owner asks for."),
      field<&Role::session_name>("session_name", "Shown in AWS's logs.")
          .unset_means("AWS_ROLE_SESSION_NAME, or edgehose"),
  }
      .rule({"role_arn"}, [](const Role& role) {
        const bool any = !role.external_id.empty() || !role.session_name.empty();
        return role.arn.empty() && any ? "assume_role needs a role_arn" : "";
      });
}

}  // namespace

Fields<CredentialsConfig> credentials_fields() {
  using C = CredentialsConfig;
  return Fields<C>{
      plain_secret<&C::access_key_id>("access_key_id", "A long-term or temporary key's id.")
          .is_for_all_to_see(),
      plain_secret<&C::secret_access_key>("secret_access_key", "The key itself."),
      plain_secret<&C::session_token>("session_token", "Of a temporary key."),
      field<&C::profile>("profile", "A profile of ~/.aws/config and ~/.aws/credentials.")
          .unset_means("AWS_PROFILE, or default"),
      field<&C::process>("process",
                         "A program that prints credentials as JSON "
                         "(credential_process). It gets no shell."),
      table<&C::iot>("iot", iot_fields(),
                     "Exchange this device's X.509 certificate of AWS IoT Core for credentials."),
      table<&C::role>("assume_role", role_fields(),
                      "A role to assume with these credentials, or with those of the chain."),
  }
      .rule({"access_key_id", "secret_access_key"},
            [](const C& c) {
              const bool both = c.access_key_id.set() == c.secret_access_key.set();
              return both ? "" : "access_key_id and secret_access_key belong together";
            })
      .rule({"session_token", "access_key_id"},
            [](const C& c) {
              const bool good = !c.session_token.set() || c.access_key_id.set();
              return good ? "" : "session_token belongs to an access_key_id";
            })
      .rule({"access_key_id", "profile", "process", "iot"}, [](const C& c) {
        const int ways = int(c.access_key_id.set()) + int(!c.profile.empty()) +
                         int(!c.process.empty()) + int(c.iot.set());
        return ways <= 1 ? "" : "give one of access_key_id, profile, process and iot";
      });
}

}  // namespace edgehose::aws
