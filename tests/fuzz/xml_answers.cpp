// What S3 and STS answer in XML: reading ends, and what is read is bounded by the answer.
#include "sinks/aws/xml.h"
#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/s3_error.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

void read_all(std::string_view document) {
  using Event = aws::XmlReader::Event;
  aws::XmlReader reader(document);
  std::size_t events = 0, depth = 0;
  for (Event event = reader.next(); event != Event::kEnd && event != Event::kWrong;
       event = reader.next()) {
    require(++events <= 2 * document.size() + 2, "reading does not end");
    if (event == Event::kOpen) ++depth;
    if (event == Event::kClose) require(depth-- > 0, "closed and never opened");
    if (event == Event::kText) require(reader.text().size() <= document.size(), "a text grows");
    require(depth <= aws::XmlReader::kMaxDepth, "too deep");
  }
  const Event last = reader.next();
  require(last == Event::kEnd || last == Event::kWrong, "it goes on behind its end");
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  HttpResponse answer;
  answer.status = 200 + input.byte() % 2 * (input.byte() + 100);
  answer.body = input.rest();
  read_all(answer.body);
  static_cast<void>(read_s3_error(answer));
  static_cast<void>(s3_remedy(answer));
  static_cast<void>(read_begun(answer));
  static_cast<void>(read_completed(answer, S3Checksum::kCrc64Nvme));
  static_cast<void>(read_uploads(answer));
  static_cast<void>(tells_nothing(answer));
  if (!answer.succeeded()) static_cast<void>(judge_s3_refusal(answer, "eu-west-1"));
}

std::vector<std::string> seeds() {
  const std::string ok("\0\0", 2), bad("\x01\x67", 2);
  return {
      bad +
          R"(<?xml version="1.0" encoding="UTF-8"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong; expecting 'us-west-2' &#x26; so on</Message><Region>us-west-2</Region></Error>)",
      ok +
          R"(<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>k</Key><UploadId>VXBsb2Fk</UploadId></InitiateMultipartUploadResult>)",
      ok +
          R"(<CompleteMultipartUploadResult><ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></CompleteMultipartUploadResult>)",
      ok +
          R"(<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><Upload><Key>a</Key><UploadId>1</UploadId></Upload><!-- c --><![CDATA[x]]></ListMultipartUploadsResult>)",
      bad + "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>"};
}

}  // namespace edgehose::fuzz
