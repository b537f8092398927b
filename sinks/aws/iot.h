// Credentials for a device that has an X.509 certificate of AWS IoT Core: a role alias is exchanged
// for them over TLS with that certificate. No key of AWS's is kept on the device.
// Source: https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html
#pragma once

#include <string>

#include "sinks/aws/credentials.h"
#include "sinks/aws/search.h"

namespace edgehose::aws {

struct IotConfig {
  std::string endpoint;  // "c1.credentials.iot.eu-west-1.amazonaws.com"
  std::string role_alias;
  std::string thing_name;   // empty: policies of the certificate alone
  std::string certificate;  // paths of PEM files
  std::string private_key;
  std::string ca_file;  // empty: the system's

  bool set() const { return !endpoint.empty(); }
};

Result<Credentials> iot_credentials(Search& search, const IotConfig& config);

}  // namespace edgehose::aws
