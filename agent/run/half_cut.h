// HalfCut: where a claim that is too large is cut in two, found by walking its blocks.
//
// Pure; one thread.
#pragma once

#include <vector>

#include "buffer/state.h"
#include "buffer/store.h"

namespace edgehose {

class HalfCut {
 public:
  explicit HalfCut(const Claim& claim);

  // The claim's blocks, in order, until it is done(). One that cannot be read is not cut inside; of
  // one whose header cannot be read either (no records), the sequence numbers behind it tell.
  void add(const DecodedBlock& block);
  void add_damaged(const BlockInfo& block);
  bool done() const { return done_; }

  // The two, without gap or overlap, their sizes together the claim's; keys are the claim's still.
  // The claim alone where no place for a cut was found.
  std::vector<Claim> parts() const;

 private:
  void count_skipped(Sequence next);
  // Where `enough` of the records lie before, and some behind.
  void cut_before(Position at, Sequence first, WallTime time, bool enough);

  const Claim claim_;
  const std::uint64_t half_;
  Claim front_, back_;
  bool done_ = false;
};

}  // namespace edgehose
