#include "agent/commands/demo_proof.h"

#include "sinks/object/age/encryptor.h"
#include "tests/agent/commands/demo_fixture.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;

class DemoProofTest : public DemoTest {
 protected:
  DemoProofTest() : identity_(*AgeIdentity::generate()) {}

  // As the sink leaves it, but for the compression.
  void deliver(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(directory_ + "/" + name).parent_path());
    std::ofstream(directory_ + "/" + name, std::ios::binary) << encrypted(text);
  }
  std::string encrypted(const std::string& text) const {
    const auto stream =
        AgeEncryptor::of(test::stream(text), *AgeFile::make({identity_.recipient()}));
    return test::drain(**stream).bytes;
  }
  Result<DemoProof> prove(std::uint64_t lines) {
    return prove_delivery(directory_, identity_, line_, lines);
  }

  AgeIdentity identity_;
};

TEST_F(DemoProofTest, EachLineOnceIsExactlyOnce) {
  deliver("a/1.log.age", line(2) + line(0));
  deliver("b/2.log.age", line(1));
  const auto proof = prove(3);
  ASSERT_TRUE(proof) << proof.error().message;
  EXPECT_TRUE(proof->exactly_once());
  EXPECT_EQ(proof->arrived, 3u);
  EXPECT_EQ(proof->objects, 2u);
  EXPECT_EQ(proof->bytes, fs::file_size(directory_ + "/a/1.log.age") +
                              fs::file_size(directory_ + "/b/2.log.age"));
}

TEST_F(DemoProofTest, CountsWhatIsMissing) {
  deliver("1.log.age", line(0) + line(3));
  const auto proof = prove(5);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->missing, 3u);
  EXPECT_EQ(proof->doubled, 0u);
  EXPECT_FALSE(proof->exactly_once());
}

TEST_F(DemoProofTest, CountsWhatArrivedTwice) {
  deliver("1.log.age", line(0) + line(1));
  deliver("2.log.age", line(1));
  const auto proof = prove(2);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->arrived, 3u);
  EXPECT_EQ(proof->doubled, 1u);
  EXPECT_EQ(proof->missing, 0u);
  EXPECT_FALSE(proof->exactly_once());
}

TEST_F(DemoProofTest, ALineThatWasNeverLoggedSoIsChanged) {
  std::string other = line(1);
  other[5] = other[5] == 'x' ? 'y' : 'x';
  deliver("1.log.age", line(0) + other + line(7) + "something else\n");
  const auto proof = prove(2);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->changed, 3u) << "a byte of one; one beyond the log; one of nobody";
  EXPECT_EQ(proof->missing, 1u);
  EXPECT_FALSE(proof->exactly_once());
}

// Lines do not go on in another object, and one without an end is the line that it says.
TEST_F(DemoProofTest, ObjectsAreNotRunTogether) {
  const std::string cut = line(1).substr(0, 20);
  deliver("1.log.age", line(0) + cut);
  deliver("2.log.age", line(1).substr(20));
  const auto proof = prove(2);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->missing, 1u);
  EXPECT_EQ(proof->changed, 2u);
}

TEST_F(DemoProofTest, WhatIsNotYetAnObjectIsLeftOut) {
  deliver("1.log.age", line(0));
  deliver(".2.log.age.part", line(0));
  deliver(".parts/3.log.age", line(0));
  const auto proof = prove(1);
  ASSERT_TRUE(proof);
  EXPECT_TRUE(proof->exactly_once());
}

TEST_F(DemoProofTest, WhatCannotBeOpenedIsAnErrorThatNamesIt) {
  std::ofstream(directory_ + "/plain.log") << line(0);
  EXPECT_THAT(prove(1).error().message, HasSubstr("plain.log: it is not encrypted"));
  std::string damaged = encrypted(line(0));
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  std::ofstream(directory_ + "/plain.log", std::ios::binary) << damaged;
  EXPECT_THAT(prove(1).error().message, HasSubstr("plain.log"));
}

}  // namespace
}  // namespace edgehose
