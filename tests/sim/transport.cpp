#include "tests/sim/transport.h"

#include <cerrno>

#include "sinks/events/event_body.h"

namespace edgehose::sim {
namespace {

constexpr const char* kEndpoint = "http://127.0.0.1:1";
constexpr const char* kPage = "<html><title>Welcome to the hotel</title></html>";

Result<std::string> read_all(ByteSource& source) {
  EH_ASSIGN(const auto stream, source.open());
  std::string bytes, piece(1 << 16, '\0');
  for (;;) {
    EH_ASSIGN(const std::size_t read, stream->read(piece.data(), piece.size()));
    if (read == 0) return bytes;
    bytes.append(piece, 0, read);
  }
}

HttpResponse http(int status, std::string body, std::string_view type) {
  HttpResponse answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.headers.push_back({"content-type", std::string(type)});
  return answer;
}

HttpResponse silence(HttpFailure failure, bool maybe_arrived) {
  HttpResponse answer;
  answer.failure = failure;
  answer.problem = "as the simulation has it";
  answer.maybe_arrived = maybe_arrived;
  return answer;
}

HttpResponse s3_answer(const Served& served) {
  HttpResponse answer = http(served.status, served.body, "application/xml");
  if (served.status == 200)
    answer.headers.push_back({"etag", "\"5d41402abc4b2a76b9719d911017c592\""});
  return answer;
}

std::string s3_error(std::string_view code) {
  return fmt::format(
      "<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>simulated</Message></Error>", code);
}

void refuse(FileResponse& file, Fate fate) {
  switch (fate) {
    case Fate::kBusy: file.status = fail_errno(ENOSPC, "writing"); break;
    case Fate::kDenied:
      file.status = fail_errno(EACCES, "opening");
      file.refusing = "/out";
      break;
    case Fate::kStranger:
      file.other_filesystem = true;
      file.status = fail(ErrorCode::kInvalid, "another disk is there");
      break;
    case Fate::kLost:
      file.status = fail_errno(EIO, "syncing the directory");
      file.renamed = true;
      break;
    default: file.status = fail_errno(EIO, "writing"); break;
  }
}

void refuse_name(FileResponse& file) {
  file.name_refused = true;
  file.status = fail_errno(EINVAL, "opening");
}

// What comes back that no server of ours has said.
HttpResponse other_answer(Fate fate) {
  switch (fate) {
    case Fate::kUnreached: return silence(HttpFailure::kConnect, false);
    case Fate::kLost: return silence(HttpFailure::kReset, true);
    default: return http(200, kPage, "text/html");
  }
}

HttpResponse denial(Parcel::To to) {
  switch (to) {
    case Parcel::To::kBucket: return http(403, s3_error("AccessDenied"), "application/xml");
    case Parcel::To::kIndex:
      return http(403,
                  R"({"error":{"type":"security_exception","reason":"simulated"},"status":403})",
                  "application/json");
    default: return http(403, R"({"text":"Invalid token","code":4})", "application/json");
  }
}

// With a bug every fifth object is lost, or comes under another name too.
void put(Bucket& bucket, const Parcel& parcel, Servers& servers) {
  const bool buggy = servers.objects++ % 5 == 4;
  if (buggy && servers.bug == Bug::kLoses) return;
  const std::string content = decompressed(parcel.name, parcel.bytes);
  bucket.put(parcel.name, content);
  if (buggy && servers.bug == Bug::kDoubles) bucket.put("again/" + parcel.name, content);
}

}  // namespace

bool takes_name(const std::string& name) { return name.find(':') == std::string::npos; }

Served serve(const Parcel& parcel, Servers& servers, bool busy, Random& chance) {
  switch (parcel.to) {
    case Parcel::To::kBucket:
      if (busy) return {503, s3_error("SlowDown")};
      put(servers.bucket, parcel, servers);
      return {};
    case Parcel::To::kDirectory: put(servers.directory, parcel, servers); return {};
    case Parcel::To::kIndex: {
      const bool whole = busy && chance.one_in(2);
      if (whole)
        return {
            429,
            R"({"error":{"type":"circuit_breaking_exception","reason":"simulated"},"status":429})"};
      const auto no_room = [&] { return busy && chance.one_in(3); };
      return {200, servers.index.bulk(parcel.bytes, no_room, chance.one_in(4))};
    }
    case Parcel::To::kEvents: {
      if (busy) return {503, R"({"text":"Server is busy","code":9})"};
      auto answer = servers.collector.events(parcel.name, parcel.bytes);
      return {answer.status, std::move(answer.body)};
    }
    case Parcel::To::kAcks: {
      if (busy) return {503, R"({"text":"Server is busy","code":9})"};
      auto answer = servers.collector.acks(parcel.name, parcel.bytes);
      return {answer.status, std::move(answer.body)};
    }
  }
  return {};
}

void SimTransport::start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) {
  if (auto* file = std::get_if<FileRequest>(&request)) return start_file(id, std::move(*file));
  if (auto* upload = std::get_if<UploadRequest>(&request))
    return start_upload(id, std::move(*upload));
  start_post(id, std::get<PostRequest>(std::move(request)));
}

void SimTransport::start_file(RequestId id, FileRequest request) {
  FileResponse response;
  response.filesystem = "simulated";
  auto bytes = read_all(*request.body);
  if (!bytes) {
    response.status = tl::unexpected(bytes.error());
    return fail(id, std::move(response));
  }
  response.bytes = bytes->size();
  send({id, {Parcel::To::kDirectory, request.name, *std::move(bytes)}, response});
}

void SimTransport::start_upload(RequestId id, UploadRequest request) {
  UploadResponse response;
  response.region = request.region;
  auto bytes = read_all(*request.body);
  if (!bytes) {
    response.unsent = bytes.error();
    return fail(id, std::move(response));
  }
  response.bytes = bytes->size();
  send({id, {Parcel::To::kBucket, request.key, *std::move(bytes)}, response});
}

// As EventsTransport has it: a channel until it is spent.
std::string SimTransport::channel_of(const PostRequest& request) {
  if (channel_.empty() || channel_ == request.spent_channel)
    channel_ = fmt::format("channel-{:x}-{}", reinterpret_cast<std::uintptr_t>(this), ++channels_);
  return request.channel.empty() ? channel_ : request.channel;
}

void SimTransport::start_post(RequestId id, PostRequest request) {
  const bool index = request.target.find("_bulk") != std::string::npos;
  PostResponse response;
  response.endpoint = kEndpoint;
  if (!index) response.channel = channel_of(request);
  std::string bytes = request.text;
  if (request.body) {
    auto* const body = dynamic_cast<EventBody*>(request.body.get());
    Result<bool> more = true;
    while (more && *more) more = body->more(bytes);
    if (!more) {
      response.unsent = more.error();
      return fail(id, std::move(response));
    }
    response.sent = body->sent();
    response.bytes = bytes.size();
    response.nothing = response.sent.empty();
    if (response.nothing) return fail(id, std::move(response));
  }
  const Parcel::To to = index          ? Parcel::To::kIndex
                        : request.body ? Parcel::To::kEvents
                                       : Parcel::To::kAcks;
  send({id, {to, response.channel, std::move(bytes)}, response});
}

void SimTransport::send(Job job) { jobs_.push_back(std::move(job)); }

Instant SimTransport::step(Instant, std::vector<Completion>& finished) {
  for (Completion& answer : answers_) finished.push_back(std::move(answer));
  answers_.clear();
  return kNever;
}

void SimTransport::abandon() {
  for (Job& job : jobs_) late_.push_back(std::move(job.parcel));
  jobs_.clear();
  answers_.clear();
}

void SimTransport::answer(std::size_t which, Fate fate, bool twice, Random& chance) {
  if (jobs_.empty()) return;
  const auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(which % jobs_.size());
  Job job = std::move(*at);
  jobs_.erase(at);
  const bool file = job.parcel.to == Parcel::To::kDirectory;
  const bool bad_name = file && !takes_name(job.parcel.name);
  const bool served = !bad_name && (fate == Fate::kAnswered || fate == Fate::kLost ||
                                    (fate == Fate::kBusy && !file));
  Served said;
  if (served) {
    if (twice && !file && job.parcel.to != Parcel::To::kEvents)
      serve(job.parcel, servers_, false, chance);
    said = serve(job.parcel, servers_, fate == Fate::kBusy, chance);
  }
  if (auto* response = std::get_if<FileResponse>(&job.response)) {
    if (bad_name)
      refuse_name(*response);
    else if (fate != Fate::kAnswered)
      refuse(*response, fate);
  } else {
    HttpResponse answer;
    if (fate == Fate::kDenied)
      answer = denial(job.parcel.to);
    else if (fate != Fate::kAnswered && fate != Fate::kBusy)
      answer = other_answer(fate);
    else
      answer = job.parcel.to == Parcel::To::kBucket
                   ? s3_answer(said)
                   : http(said.status, said.body, "application/json");
    if (auto* upload = std::get_if<UploadResponse>(&job.response))
      upload->answer = std::move(answer);
    if (auto* post = std::get_if<PostResponse>(&job.response)) post->answer = std::move(answer);
  }
  answers_.push_back({job.id, std::move(job.response)});
}

}  // namespace edgehose::sim
