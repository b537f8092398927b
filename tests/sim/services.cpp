#include "tests/sim/services.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "sinks/aws/uri.h"

namespace edgehose::sim {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMostSkew = 15 * 60 * kSecond;  // S3's

HttpResponse http(int status, std::string body, std::string_view type) {
  HttpResponse answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.headers.push_back({"content-type", std::string(type)});
  return answer;
}

HttpResponse json(int status, std::string body) {
  return http(status, std::move(body), "application/json");
}

std::string value_in(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? "" : found->second;
}

// "a=1&b=2"
std::map<std::string, std::string> parameters(const std::string& query) {
  std::map<std::string, std::string> values;
  for (std::size_t at = 0; at < query.size();) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string one = query.substr(at, end - at);
    const std::size_t equals = std::min(one.find('='), one.size() - 1);
    values[one.substr(0, equals)] = aws::uri_decode(one.substr(equals + 1));
    at = end + 1;
  }
  return values;
}

std::string body_of(const Sent& request) {
  const bool gzipped = value_in(request.headers, "content-encoding") == "gzip";
  return gzipped ? decompressed(".gz", request.body) : request.body;
}

// --- S3 ------------------------------------------------------------------------------------------

HttpResponse xml(int status, std::string_view name, std::string_view inside) {
  return http(status, fmt::format("<?xml version=\"1.0\"?>\n<{0}>{1}</{0}>", name, inside),
              "application/xml");
}

HttpResponse s3_error(int status, std::string_view code) {
  return xml(status, "Error", fmt::format("<Code>{}</Code><Message>simulated</Message>", code));
}

// "20261127T203300Z"
WallTime amz_time(const std::string& text) {
  using namespace std::chrono;
  if (text.size() != 16) return WallTime{};
  const auto number = [&](std::size_t at, std::size_t digits) {
    return std::atoi(text.substr(at, digits).c_str());
  };
  const sys_days day = year(number(0, 4)) / number(4, 2) / number(6, 2);
  const std::int64_t seconds = number(9, 2) * 3600 + number(11, 2) * 60 + number(13, 2);
  return WallTime((std::int64_t{day.time_since_epoch().count()} * 86'400 + seconds) * kSecond);
}

void demand_checksum(const Sent& request) {
  const std::string told = value_in(request.headers, "x-amz-checksum-crc64nvme");
  if (told != checksum_of(request.body))
    throw Broken{fmt::format("the bytes of {} are not what their checksum tells", request.path)};
}

HttpResponse taken(const Sent& request) {
  HttpResponse answer = http(200, "", "application/xml");
  answer.headers.push_back({"etag", tag_of(request.body)});
  answer.headers.push_back({"x-amz-checksum-crc64nvme", checksum_of(request.body)});
  return answer;
}

HttpResponse put_object(const Sent& request, const std::string& key, Bucket& bucket) {
  demand_checksum(request);
  if (request.headers.contains("if-none-match") && bucket.find(key) != nullptr)
    return s3_error(412, "PreconditionFailed");
  bucket.put(key, request.body);
  return taken(request);
}

HttpResponse head_object(const std::string& key, const Bucket& bucket) {
  const Bucket::Object* const object = bucket.find(key);
  HttpResponse answer = http(object == nullptr ? 404 : 200, "", "application/xml");
  answer.headers.push_back({"x-amz-request-id", "simulated"});
  if (object == nullptr) return answer;
  answer.headers.push_back({"content-length", std::to_string(object->size)});
  answer.headers.push_back({"x-amz-checksum-crc64nvme", object->checksum});
  return answer;
}

HttpResponse put_part(const Sent& request, const Bucket::Upload& upload, unsigned number, bool late,
                      Bucket& bucket) {
  demand_checksum(request);
  if (!bucket.part(upload, number, request.body, !late)) return s3_error(404, "NoSuchUpload");
  return taken(request);
}

// <Part><PartNumber>1</PartNumber><ETag>&quot;...&quot;</ETag>, in their order.
std::vector<std::string> listed_tags(const std::string& body) {
  constexpr std::string_view kOpen = "<ETag>&quot;", kClose = "&quot;</ETag>";
  std::vector<std::string> tags;
  for (std::size_t at = body.find(kOpen); at != std::string::npos; at = body.find(kOpen, at)) {
    at += kOpen.size();
    tags.push_back(fmt::format("\"{}\"", body.substr(at, body.find(kClose, at) - at)));
  }
  return tags;
}

HttpResponse complete(const Sent& request, const Bucket::Upload& upload, Bucket& bucket) {
  if (request.headers.contains("if-none-match") && bucket.find(upload.first) != nullptr)
    return s3_error(412, "PreconditionFailed");
  const auto wrong = bucket.complete(upload, listed_tags(request.body),
                                     value_in(request.headers, "x-amz-checksum-crc64nvme"));
  if (wrong) return s3_error(*wrong == "NoSuchUpload" ? 404 : 400, *wrong);
  const Bucket::Object* const object = bucket.find(upload.first);  // null: with a bug
  const std::string checksum = object == nullptr ? "" : object->checksum;
  return xml(
      200, "CompleteMultipartUploadResult",
      fmt::format(
          "<ETag>&quot;simulated-2&quot;</ETag>{}",
          checksum.empty() ? "" : "<ChecksumCRC64NVME>" + checksum + "</ChecksumCRC64NVME>"));
}

HttpResponse list(const std::string& prefix, const Bucket& bucket) {
  std::string entries;
  for (const auto& [key, id] : bucket.uploads(prefix))
    entries += fmt::format("<Upload><Key>{}</Key><UploadId>{}</UploadId></Upload>", key, id);
  return xml(200, "ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>" + entries);
}

// A 200 to a completion may hold an error: S3 begins to answer before it knows.
HttpResponse busy_s3(const Sent& request, Random& chance) {
  const bool completion = request.method == "POST" && request.query.starts_with("uploadId=");
  if (completion && chance.one_in(2)) return s3_error(200, "InternalError");
  return s3_error(503, "SlowDown");
}

HttpResponse serve_s3(const Sent& request, Bucket& bucket, bool busy, bool late, WallTime now,
                      Random& chance) {
  const WallTime signed_at = amz_time(value_in(request.headers, "x-amz-date"));
  if (std::abs(signed_at.value - now.value) > kMostSkew)
    return s3_error(403, "RequestTimeTooSkewed");
  if (busy) return busy_s3(request, chance);
  const std::string key = aws::uri_decode(request.path.substr(1));
  const auto asked = parameters(request.query);
  const Bucket::Upload upload{key, value_in(asked, "uploadId")};
  const bool of_parts = !upload.second.empty();
  if (request.method == "HEAD") return head_object(key, bucket);
  if (request.method == "GET") return list(value_in(asked, "prefix"), bucket);
  if (request.method == "DELETE")
    return bucket.abort(upload) ? http(204, "", "") : s3_error(404, "NoSuchUpload");
  if (request.method == "POST" && of_parts) return complete(request, upload, bucket);
  if (request.method == "POST")
    return xml(200, "InitiateMultipartUploadResult",
               fmt::format("<UploadId>{}</UploadId>", bucket.begin(key)));
  if (!of_parts) return put_object(request, key, bucket);
  const auto number = static_cast<unsigned>(std::atoi(value_in(asked, "partNumber").c_str()));
  return put_part(request, upload, number, late, bucket);
}

// --- Elasticsearch -------------------------------------------------------------------------------

HttpResponse search_error(int status, std::string_view type) {
  return json(status, fmt::format(R"({{"error":{{"type":"{}","reason":"simulated"}},"status":{}}})",
                                  type, status));
}

HttpResponse serve_search(const Sent& request, Index& index, bool busy, Random& chance) {
  if (busy && chance.one_in(2)) return search_error(429, "circuit_breaking_exception");
  if (request.method == "GET")
    return json(200, R"({"version":{"number":"8.19.0"},"tagline":"You Know, for Search"})");
  const auto no_room = [&] { return busy && chance.one_in(3); };
  return json(200, index.bulk(body_of(request), no_room, chance.one_in(4)));
}

// --- Splunk --------------------------------------------------------------------------------------

HttpResponse hec(int status, int code, std::string_view text) {
  return json(status, fmt::format(R"({{"text":"{}","code":{}}})", text, code));
}

std::size_t number_of_host(std::string_view host) {
  return static_cast<std::size_t>(host[host.find('-') + 1] - '0');
}

HttpResponse serve_hec(const Sent& request, Servers& servers, bool busy, Random& chance) {
  auto& hosts = servers.collectors;
  Collector& collector =
      servers.balanced ? hosts[chance.below(hosts.size())] : hosts.at(number_of_host(request.host));
  const std::string channel = value_in(request.headers, "x-splunk-request-channel");
  if (request.path == "/services/collector/health")
    return busy ? hec(503, 18, "HEC is unhealthy, queues are full")
                : hec(200, 17, "HEC is healthy");
  if (busy) return hec(503, 9, "Server is busy");
  const std::string body = body_of(request);
  if (request.path != "/services/collector/ack")
    return json(200, fmt::format(R"({{"text":"Success","code":0,"ackId":{}}})",
                                 collector.take(channel, body)));
  if (!servers.balanced && !collector.knows(channel))
    throw Broken{"acknowledgements are asked for where nothing was sent"};
  const auto ids = Json::parse(body).at("acks").get<std::vector<std::uint64_t>>();
  const std::set<std::uint64_t> told = collector.acknowledged(channel, ids);
  Json acks = Json::object();
  for (const std::uint64_t id : ids) acks[std::to_string(id)] = told.contains(id);
  return json(200, Json{{"acks", std::move(acks)}}.dump());
}

// --- all -----------------------------------------------------------------------------------------

// "Fri, 27 Nov 2026 20:33:00 GMT"
std::string http_date(WallTime now) {
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  using namespace std::chrono;
  const sys_seconds time{seconds(now.value / kSecond)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

HttpResponse serve_any(const Sent& request, Servers& servers, bool busy, bool late, WallTime now,
                       Random& chance) {
  if (is_host_of(request.host, "bucket"))
    return serve_s3(request, servers.bucket, busy, late, now, chance);
  if (is_host_of(request.host, "index")) return serve_search(request, servers.index, busy, chance);
  return serve_hec(request, servers, busy, chance);
}

}  // namespace

std::string host_name(std::string_view sink, unsigned host) {
  return fmt::format("{}-{}.example", sink, host);
}

bool is_host_of(std::string_view host, std::string_view sink) { return host.starts_with(sink); }

HttpResponse serve(const Sent& request, Servers& servers, bool busy, bool late, WallTime now,
                   Random& chance) {
  HttpResponse answer = serve_any(request, servers, busy, late, now, chance);
  answer.headers.push_back({"date", http_date(now)});
  answer.verified = true;
  return answer;
}

HttpResponse denial(const Sent& request) {
  if (is_host_of(request.host, "bucket")) return s3_error(403, "AccessDenied");
  if (is_host_of(request.host, "index")) return search_error(403, "security_exception");
  return hec(403, 4, "Invalid token");
}

HttpResponse stranger() {
  return http(200, "<html><title>Welcome to the hotel</title></html>", "text/html");
}

}  // namespace edgehose::sim
