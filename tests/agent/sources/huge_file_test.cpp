// What has to be hashed to be recognised is hashed in steps, and rarely.
#include "agent/base/crc32c.h"
#include "agent/sources/file_table.h"
#include "tests/agent/sources/limits_fixture.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

// A content of 3 GB that must be hashed to be recognised: a step at every drain, and no step is
// long.
class HugeFile : public Limits {
 protected:
  static constexpr std::uint64_t kSize = 3ull << 30;

  static std::uint32_t crc_of_zeros(std::uint64_t size) {
    const std::string zeros(1 << 20, '\0');
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < size; done += zeros.size()) crc = crc32c(crc, zeros);
    return crc;
  }
  // All of it was read, of another inode, before the last boot.
  void know_the_content(const std::string& name) {
    FileState& state = store.files[1'000];
    state.path = path(name);
    state.identity.inode = 1;
    state.identity.birth_ns = 1;
    state.identity.prefix_length = kPrefixBytes;
    state.identity.prefix_hash = prefix_hash(std::string(kPrefixBytes, '\0'));
    state.offset = kSize;
    state.crc = crc_of_zeros(kSize);
    FileNote note;
    note.boot_id = "an earlier one";
    state.note = encode(note);
  }
  // Drains until `count` records are there; other files are read meanwhile.
  int drains_until(std::size_t count) {
    int drains = 0;
    for (; out.got.size() < count && drains < 5000; ++drains) {
      const DrainResult result = drain();
      if (drains == 0) {
        EXPECT_EQ(text(), "beside\n") << "what is small does not wait";
      }
      if (!result.more && result.next > clock.now()) clock.advance(result.next - clock.now());
    }
    return drains;
  }
};

TEST_F(HugeFile, IsRecognisedInSteps) {
  append("beside.log", "beside\n");
  append("a.log", "");
  truncate("a.log", kSize);
  append("a.log", "after\n");
  know_the_content("a.log");
  const std::uint64_t before = bytes_read();
  std::uint64_t longest = 0;
  for (int i = 0; out.got.size() < 2 && i < 5000; ++i) {
    const std::uint64_t begin = bytes_read();
    const DrainResult result = drain();
    longest = std::max(longest, bytes_read() - begin);
    if (!result.more && result.next > clock.now()) clock.advance(result.next - clock.now());
  }
  expect_once("beside\nafter\n");
  EXPECT_LE(longest, 2 * kHashShare + (256u << 10));
  EXPECT_LT(bytes_read() - before, kSize + (64u << 20)) << "read more than once";
}

// Its size stays, its time does not: whether it was rewritten is asked at a bounded rate.
TEST_F(Limits, AFileThatIsTouchedAllTheTimeIsComparedRarely) {
  const std::string content = lines("a", 0, 3'000'000);  // some 75 MB, so at most each 5 s
  append("a.log", content);
  run(1s);
  commit();
  const std::uint64_t before = bytes_read();
  for (int second = 0; second < 60; ++second) {
    shell("touch a.log");
    run(1s);
  }
  const std::uint64_t read = bytes_read() - before;
  EXPECT_GT(read, content.size()) << "asked at all";
  EXPECT_LT(read, 60 * kDoubtBytesPerSecond);
  EXPECT_EQ(out.got.size(), 3'000'000u);
}

// Each step takes longer than until it has the next line.
TEST_F(HugeFile, ThatGrowsIsToldFromManyThatBeginAlike) {
  const std::string content = lines("a", 0, 500'000);  // some 12 MB
  append("a.log", content);
  for (std::uint64_t i = 0; i < 4; ++i) {
    FileState& state = store.files[static_cast<std::uint32_t>(1000 + i)];
    state.path = path("run-" + std::to_string(i));
    state.identity.inode = 1 + i;
    state.identity.birth_ns = 1;
    state.identity.prefix_length = kPrefixBytes;
    state.identity.prefix_hash = prefix_hash(content.substr(0, kPrefixBytes));
    state.offset = (4 + 2 * i) << 20;  // what one look hashes, and more
    state.finished = true;
  }
  int more = 0;
  for (; out.got.empty() && more < 200; ++more) {
    append("a.log", lines("more", more, more + 1));
    drain();
    clock.advance(20ms);
  }
  run();
  EXPECT_LT(more, 200);
  EXPECT_EQ(out.got.size(), 500'000u + static_cast<std::size_t>(more));
}

TEST_F(HugeFile, AsACompressedRotationIsReadInSteps) {
  append("beside.log", "beside\n");
  shell(
      "head -c 8M /dev/zero | gzip -1 > part && "
      "for i in $(seq 384); do cat part; done > a.log.1.gz && "
      "echo after | gzip >> a.log.1.gz && rm part");
  append("a.log", "");
  know_the_content("a.log");
  EXPECT_GT(drains_until(2), static_cast<int>(2 * kSize / (8 * kHashShare)));
  expect_once("beside\nafter\n");
}

}  // namespace
}  // namespace edgehose::testing
