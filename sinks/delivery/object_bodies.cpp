#include "sinks/delivery/courier.h"

namespace edgehose {

OpenBody object_bodies(Store& store) {
  return [&store](const Batch& batch) -> Result<std::shared_ptr<ObjectBody>> {
    EH_ASSIGN(ObjectRendering rendering, parse_rendering(batch.claim.rendering));
    return encode_object_body(store, batch.claim, std::move(rendering), batch.source);
  };
}

}  // namespace edgehose
