#include "sinks/aws/iot.h"

#include "sinks/aws/credentials_json.h"
#include "sinks/aws/uri.h"

namespace edgehose::aws {

Result<Credentials> iot_credentials(Search& search, const IotConfig& config) {
  HttpAsk ask{.method = "GET",
              .url = "https://" + config.endpoint + "/role-aliases/" +
                     uri_encode(config.role_alias, Slash::kEncoded) + "/credentials",
              .client = {config.certificate, config.private_key, config.ca_file}};
  if (!config.thing_name.empty())
    ask.headers.push_back({"x-amzn-iot-thingname", config.thing_name});
  EH_ASSIGN(const HttpAnswer answer, search.talk.http_with_retries(ask));
  if (answer.status == 0)
    return fail(ErrorCode::kUnavailable, "AWS IoT: no answer from {} ({})", config.endpoint,
                answer.problem);
  if (answer.status != 200)
    return fail(answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kAuth,
                "AWS IoT: {} answered {} {}; the certificate must be active, and its policy must "
                "allow iot:AssumeRoleWithCertificate for the role alias {}",
                config.endpoint, answer.status, error_in_json(answer.body), config.role_alias);
  auto found =
      parse_credentials(answer.body, kIotLayout, "AWS IoT role alias " + config.role_alias);
  if (!found) return tl::unexpected(std::move(found).error().with_context("AWS IoT"));
  return found;
}

}  // namespace edgehose::aws
