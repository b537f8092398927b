#include "buffer/copy_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace edgehose {
namespace {

constexpr std::uint64_t kEntries = 3000;  // of 50 to 1,049 bytes: many buffers' worth

std::string key_of(std::uint64_t i) { return "key " + std::to_string(i); }
std::string value_of(std::uint64_t i) { return std::string(50 + i % 1000, static_cast<char>(i)); }

class CopyFile : public ::testing::Test {
 protected:
  CopyFile() {
    char name[] = "/tmp/edgehose-copy-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/copy";
  }
  ~CopyFile() override { std::filesystem::remove_all(directory_); }

  void write(std::uint64_t promised = kEntries) {
    const auto fd = open_file(path_, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_TRUE(fd);
    CopyWriter writer(fd->get(), path_, promised);
    for (std::uint64_t i = 0; i < kEntries; ++i) ASSERT_TRUE(writer.add(key_of(i), value_of(i)));
    const std::uint64_t bytes = writer.finish().value();
    EXPECT_EQ(bytes, std::filesystem::file_size(path_));
  }

  // How many entries are as they were written, of a file that is whole.
  Result<std::uint64_t> read() {
    EH_ASSIGN(CopyReader reader, CopyReader::open(path_));
    std::string key, value;
    std::uint64_t right = 0;
    for (std::uint64_t i = 0;; ++i) {
      EH_ASSIGN(const bool more, reader.next(key, value));
      if (!more) return right;
      if (key == key_of(i) && value == value_of(i)) ++right;
    }
  }

  std::string directory_, path_;
};

TEST_F(CopyFile, GivesBackWhatWasWritten) {
  write();
  EXPECT_EQ(read().value(), kEntries);
}

TEST_F(CopyFile, ThatIsNotThereIsNotFound) { EXPECT_EQ(read().error().code, ErrorCode::kNotFound); }

TEST_F(CopyFile, OfAnyOtherLengthIsDamaged) {
  write();
  const auto size = std::filesystem::file_size(path_);
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{19},
                                     size / 2, size - 5, size - 1, size + 1}) {
    write();
    std::filesystem::resize_file(path_, length);
    EXPECT_EQ(read().error().code, ErrorCode::kCorrupt) << length;
  }
}

TEST_F(CopyFile, WithAFlippedBitIsDamaged) {
  write();
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path_));
  // In the magic, the count, a value's last byte and the checksum.
  for (const std::int64_t at : {std::int64_t{0}, std::int64_t{8}, size - 5, size - 1}) {
    write();
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1));
    file.close();
    const auto result = read();
    ASSERT_FALSE(result) << at;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << at;
  }
}

TEST_F(CopyFile, WithFewerEntriesThanItPromisesIsDamaged) {
  write(kEntries + 1);
  EXPECT_EQ(read().error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace edgehose
