#include "sinks/s3/multipart_answers.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/aws/xml.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

bool good_name(std::string_view text, std::size_t limit) {
  return !text.empty() && text.size() <= limit &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7F; });
}

// The texts of a document by their paths, in order; the elements of `entry` one after the other.
class UploadList {
 public:
  void open(std::string_view name) {
    path_.append("/").append(name);
    if (path_ == kEntry) list_.uploads.emplace_back();
  }
  void close() { path_.resize(path_.rfind('/')); }
  void text(const std::string& text) {
    const auto in = [&](std::string_view path) { return path_ == path; };
    if (in("/ListMultipartUploadsResult/IsTruncated")) list_.more = text == "true";
    if (in("/ListMultipartUploadsResult/NextKeyMarker")) list_.next.key = text;
    if (in("/ListMultipartUploadsResult/NextUploadIdMarker")) list_.next.id = text;
    if (in("/ListMultipartUploadsResult/Upload/Key")) list_.uploads.back().key = text;
    if (in("/ListMultipartUploadsResult/Upload/UploadId")) list_.uploads.back().id = text;
  }
  bool full() const { return list_.uploads.size() > kMaxListed; }
  ListedUploads take() { return std::move(list_); }

 private:
  static constexpr std::string_view kEntry = "/ListMultipartUploadsResult/Upload";
  std::string path_;
  ListedUploads list_;
};

}  // namespace

std::optional<std::string> read_begun(const HttpResponse& answer) {
  if (answer.status != 200) return std::nullopt;
  auto id = aws::xml_text(answer.body, "InitiateMultipartUploadResult/UploadId");
  if (!id || !good_name(*id, kMaxUploadId)) return std::nullopt;
  return id;
}

std::optional<std::string> read_part_tag(const HttpResponse& answer) {
  const std::string* tag = answer.header("etag");
  if (answer.status != 200 || tag == nullptr || !good_name(*tag, kMaxPartTag) ||
      !blank(answer.body))
    return std::nullopt;
  return *tag;
}

std::optional<CompletedUpload> read_completed(const HttpResponse& answer, S3Checksum kind) {
  if (answer.status != 200) return std::nullopt;
  const auto text = [&](const std::string& name) {
    return aws::xml_text(answer.body, "CompleteMultipartUploadResult/" + name).value_or("");
  };
  CompletedUpload completed{text("ETag"), ""};
  if (completed.tag.empty()) return std::nullopt;
  if (kind != S3Checksum::kNone)
    completed.checksum = text("Checksum" + std::string(checksum_algorithm(kind)));
  return completed;
}

std::optional<ListedUploads> read_uploads(const HttpResponse& answer) {
  if (answer.status != 200) return std::nullopt;
  aws::XmlReader reader(answer.body);
  UploadList list;
  for (bool first = true;; first = false) {
    switch (reader.next()) {
      case aws::XmlReader::Event::kOpen:
        if (first && reader.name() != "ListMultipartUploadsResult") return std::nullopt;
        list.open(reader.name());
        if (list.full()) return std::nullopt;
        break;
      case aws::XmlReader::Event::kText: list.text(reader.text()); break;
      case aws::XmlReader::Event::kClose: list.close(); break;
      case aws::XmlReader::Event::kEnd: return list.take();
      case aws::XmlReader::Event::kWrong: return std::nullopt;
    }
  }
}

bool tells_nothing(const HttpResponse& answer) {
  return answer.status == 0 || answer.status == 429 || answer.status >= 500;
}

bool not_known_there(const HttpResponse& answer) {
  return answer.status == 405 || answer.status == 501;
}

bool not_allowed(const HttpResponse& answer) {
  const std::string code = read_s3_error(answer).code;
  return code == "AccessDenied" || code == "NotImplemented" || code == "MethodNotAllowed" ||
         not_known_there(answer);
}

bool is_gone(const HttpResponse& answer) {
  return answer.succeeded() ||
         (answer.status == 404 && read_s3_error(answer).code != "NoSuchBucket");
}

}  // namespace edgehose
