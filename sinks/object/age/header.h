// The header of an age file: who can open it, and a MAC over that.
//
//   age-encryption.org/v1 LF
//   -> TYPE ARGUMENT... LF                 a stanza per recipient; arguments of visible ASCII
//   BASE64 in lines of 64, the last one shorter (maybe empty), each with LF
//   --- MAC LF                             43 characters; HMAC over all before it, "---" included
//
// base64 is unpadded and canonical. Source: the age file format specification,
// age-encryption.org/v1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "sinks/object/age/keys.h"
#include "sinks/object/age/primitives.h"

namespace edgehose::age {

constexpr std::string_view kVersionLine = "age-encryption.org/v1\n";
constexpr std::size_t kMaxHeaderBytes = 1 << 20;  // some 8,000 recipients

struct Stanza {
  std::string type;
  std::vector<std::string> arguments;
  std::string body;
};

struct Header {
  std::vector<Stanza> stanzas;
  std::string authenticated;  // the text that the MAC covers
  std::string mac;            // 32 bytes
};

// Takes a header line by line, as it is read.
class HeaderParser {
 public:
  // `line` without its LF. True when this was the last one. After an error: undefined.
  Result<bool> take_line(std::string_view line);
  Header take() { return std::move(header_); }

 private:
  Status begin_stanza(std::string_view line);
  Status continue_stanza(std::string_view line);
  Status finish(std::string_view line);

  Header header_;
  bool versioned_ = false;
  bool in_body_ = false;
};

// The text of stanzas, up to and including "---".
std::string encode_stanzas(const std::vector<Stanza>& stanzas);

// A whole header for these recipients, its MAC included.
Result<std::string> encode_header(const FileKey& file_key,
                                  const std::vector<AgeRecipient>& recipients);

// The file key, where one of the identities fits. kAuth: none does; kCorrupt: an X25519 stanza is
// malformed.
Result<FileKey> unwrap_file_key(const Header& header, const std::vector<AgeIdentity>& identities);

// Whether the MAC fits.
Result<bool> authentic(const Header& header, const FileKey& file_key);

}  // namespace edgehose::age
