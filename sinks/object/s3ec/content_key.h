// From a data key to what encrypts an object's content.
//
//   v2  the data key itself, the IV of the envelope, no associated data
//   v3  HKDF-SHA-512 of the data key, with the message's id for salt: "DERIVEKEY" gives the key,
//       "COMMITKEY" the commitment, each behind the suite's number, 00 73; the IV is twelve times
//       01, the associated data the suite's number
//
// Threading: pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "sinks/object/s3ec/envelope.h"
#include "sinks/object/s3ec/primitives.h"

namespace edgehose::s3ec {

struct ContentKey {
  DataKey key;
  std::string iv, associated;
  std::string commitment;  // v3: what the envelope has to say; v2: empty

  Result<Gcm> begin(Gcm::Mode mode) const { return Gcm::make(mode, key, iv, associated); }
};

// `nonce`: Envelope::nonce, of its format's length.
Result<ContentKey> derive_content_key(Format format, const DataKey& data_key,
                                      std::string_view nonce);

}  // namespace edgehose::s3ec
