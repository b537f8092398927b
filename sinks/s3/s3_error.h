// What S3 says where it refuses, and what follows from it. Pure.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#pragma once

#include <optional>
#include <string>

#include "sinks/aws_client/aws_client.h"
#include "sinks/http_message.h"
#include "sinks/sink.h"

namespace edgehose {

struct S3Error {
  std::string code;     // "NoSuchBucket"; empty: S3 has not said one
  std::string message;  // its words, printable and short
  std::string region;   // that the bucket is in, where the answer says so
};

S3Error read_s3_error(const HttpResponse& response);

// Whether another time or other credentials would help.
Remedy s3_remedy(const HttpResponse& response);

// Of an answer with a status that is not 2xx. `region`: that the request was signed for.
Verdict judge_s3_refusal(const HttpResponse& response, const std::string& region);
// Whether S3 finds fault with what a completion would put together: it will never become the
// object, however often it is asked. `code`: S3Error's.
bool faults_completion(const std::string& code);
// The verdict, where the answer is one that has the records go another way than under this key:
// halved, under another name, to the dead letters. None: it is not.
std::optional<Verdict> refused_for_good(const UploadResponse& upload);
// Of an answer that is not one that S3 gives. `why`: what is odd about it; empty: it is plain.
std::string not_of_s3(const HttpResponse& answer, std::string_view why = {});
// Of no answer (status 0).
Verdict judge_s3_silence(const HttpResponse& response);

}  // namespace edgehose
