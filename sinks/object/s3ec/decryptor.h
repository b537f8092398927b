// Opening an object of the Amazon S3 Encryption Client, v2 or v3. Its only tag is at its end, so it
// is read twice: once to see that it is authentic, and once to be handed out. Memory: two chunks of
// 64 KiB.
//
// Threading: one thread at a time.
#pragma once

#include <memory>
#include <vector>

#include "agent/base/stream.h"
#include "sinks/object/s3ec/envelope.h"
#include "sinks/object/s3ec/keys.h"

namespace edgehose {

// The plaintext of what `object` holds; `object` outlives it. kAuth: no key fits, or the key is not
// the one that the object commits to; kCorrupt: it is damaged or cut short, or changed between the
// two readings (then while it is read); what unwrap() and the object itself say.
Result<std::unique_ptr<ByteStream>> open_s3ec(ByteSource& object, const s3ec::Envelope& envelope,
                                              const std::vector<s3ec::UnwrappingKey>& keys);

}  // namespace edgehose
