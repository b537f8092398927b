// A writer does what writers and rotators do, at random, while the source runs, fills up, commits,
// fails to commit and crashes. Every line carries its number and must arrive exactly once.
#include <random>

#include "tests/agent/sources/harness.h"

namespace edgehose::testing {
namespace {

using namespace std::chrono_literals;

class Soak : public FileSourceTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  void write_lines() {
    std::string text;
    for (int n = static_cast<int>(random_() % 40); n >= 0; --n)
      text += "line " + std::to_string(next_++) + std::string(random_() % 200, '.') + "\n";
    append("a.log", text);
  }

  // Frees a.log.1 by moving the older ones up.
  void shift() {
    for (int i = 12; i >= 1; --i)
      for (const char* ending : {"", ".gz", ".zst"}) {
        const std::string from = "a.log." + std::to_string(i) + ending;
        if (std::filesystem::exists(path(from)))
          rename(from, "a.log." + std::to_string(i + 1) + ending);
      }
  }

  bool drained() const {
    return source && std::filesystem::exists(path("a.log")) && source->health().behind_bytes == 0 &&
           out.room == SIZE_MAX;
  }

  void rotate() {
    if (!std::filesystem::exists(path("a.log")) || std::filesystem::exists(path("a.log.12")))
      return;
    shift();
    rename("a.log", "a.log.1");
    if (random_() % 4 != 0) append("a.log", "");
  }

  void copytruncate() {
    if (!std::filesystem::exists(path("a.log")) || std::filesystem::file_size(path("a.log")) < 2000)
      return;
    run(3s);
    commit();
    if (!drained()) return;
    shift();
    copy("a.log", "a.log.1");
    truncate("a.log");
  }

  void compress() {
    for (int i = 3; i >= 1; --i) {
      const std::string name = "a.log." + std::to_string(i);
      if (!std::filesystem::exists(path(name))) continue;
      shell((random_() % 2 == 0 ? "gzip " : "zstd -q --rm ") + name);
      return;
    }
  }

  void act() {
    out.room = random_() % 4 == 0 ? random_() % 50 : SIZE_MAX;
    switch (random_() % 12) {
      case 0: case 1: case 2: case 3: write_lines(); break;
      case 4: rotate(); break;
      case 5: if (random_() % 2 == 0) copytruncate(); break;
      case 6: compress(); break;
      case 7: if (source) crash(); break;
      case 8: drain(); break;
      case 9: run(3s); break;
      case 10: drain(); commit(); break;
      case 11: drain(); commit(random_() % 2 == 0); break;
    }
  }

  std::mt19937 random_{GetParam()};
  int next_ = 0;
};

TEST_P(Soak, EveryLineOnce) {
  config.paths = {dir + (GetParam() % 2 == 0 ? "/a.log*" : "/*.log")};
  config.max_open_files = 3;
  append("a.log", "");
  EXPECT_TRUE(drain().urgent) << "the first look is to be committed";
  commit();
  for (int step = 0; step < 250; ++step) act();
  out.room = SIZE_MAX;
  run(70s);
  commit();
  crash();
  run(70s);

  std::map<int, int> count;
  for (const Got& g : out.got) ++count[std::atoi(g.body.c_str() + 5)];
  int lost = 0, twice = 0;
  for (int i = 0; i < next_; ++i) {
    lost += count[i] == 0;
    twice += count[i] > 1;
  }
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(twice, 0);
  EXPECT_EQ(source->health().lost_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Soak, ::testing::Range(1u, 17u));

}  // namespace
}  // namespace edgehose::testing
