#include "sinks/delivery/courier.h"

namespace edgehose {

OpenBody object_bodies(Store& store) {
  return [&store](const Batch& batch) -> Result<std::unique_ptr<ObjectStream>> {
    EH_ASSIGN(const ObjectRendering rendering, parse_rendering(batch.claim.rendering));
    return encode_object(store, batch.claim, rendering, batch.source);
  };
}

}  // namespace edgehose
