// The pure function alone: every case as two snapshots.
#include "agent/sources/rotation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/base/crc32c.h"

namespace edgehose {
namespace {

const std::string kLong(3000, 'x');

KnownContent known(std::string_view path, std::uint64_t inode, std::string_view content,
                   std::uint64_t offset) {
  KnownContent k;
  k.path = path;
  FileStat stat;
  stat.filesystem = 1;
  stat.inode = inode;
  stat.birth_ns = static_cast<std::int64_t>(inode * 10);
  k.identity = identity_of(stat, content);
  k.offset = offset;
  k.crc = crc32c(0, content.substr(0, offset));
  return k;
}

struct File {
  SeenFile seen;
  std::string content;
};

File seen(std::string_view path, std::uint64_t inode, std::string content) {
  File f;
  f.seen.path = path;
  f.seen.stat.filesystem = 1;
  f.seen.stat.inode = inode;
  f.seen.stat.birth_ns = static_cast<std::int64_t>(inode * 10);
  f.seen.stat.size = content.size();
  f.seen.format = format_of_name(path);
  f.content = std::move(content);
  return f;
}

// Answers the questions from the contents, as a table does from the files.
std::vector<Change> decide(const std::vector<KnownContent>& before, const std::vector<File>& files,
                           bool first_look = false) {
  std::vector<SeenFile> now;
  for (const File& f : files) {
    now.push_back(f.seen);
    now.back().first_look = first_look;
  }
  for (int round = 0; round < 20; ++round) {
    Comparison c = compare(before, now);
    if (c.questions.empty()) return c.changes;
    for (const Question& q : c.questions) {
      const std::string& content = files[q.seen].content;
      if (!q.crc_length) {
        EXPECT_FALSE(now[q.seen].head) << "asked twice";
        now[q.seen].head = content.substr(0, kPrefixBytes);
      } else {
        ContentCrc crc{*q.crc_length, std::nullopt};
        if (crc.length <= content.size())
          crc.crc = crc32c(0, std::string_view(content).substr(0, crc.length));
        now[q.seen].crcs.push_back(crc);
      }
    }
  }
  ADD_FAILURE() << "questions without end";
  return {};
}

ChangeKind of_seen(const std::vector<Change>& changes, std::size_t s) {
  for (const Change& c : changes)
    if (c.seen == s) return c.kind;
  ADD_FAILURE() << "nothing about file " << s;
  return ChangeKind::kGone;
}

TEST(Rotation, SameRenamedGoneNew) {
  const auto changes =
      decide({known("/l/a", 1, "x\n", 2), known("/l/b", 2, "y\n", 2), known("/l/c", 3, "z\n", 2)},
             {seen("/l/a", 1, "x\nmore\n"), seen("/l/b.1", 2, "y\n"), seen("/l/b", 9, "new\n")});
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kSame);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kRenamed);
  EXPECT_EQ(of_seen(changes, 2), ChangeKind::kNew);
  EXPECT_EQ(changes.back().kind, ChangeKind::kGone);
  EXPECT_EQ(changes.back().known, 2u);
}

TEST(Rotation, WhatCannotBeLookedAtIsNeitherGoneNorReplacedByItsCopy) {
  KnownContent hidden = known("/l/a", 1, kLong, 2500);
  hidden.hidden = true;
  EXPECT_TRUE(decide({hidden}, {}).empty());
  const auto changes = decide({hidden}, {seen("/m/a.1", 2, kLong)});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, ChangeKind::kWait);
  EXPECT_FALSE(changes[0].settles) << "no time decides it";
  // Moved to where it can be seen, it is followed.
  EXPECT_EQ(of_seen(decide({hidden}, {seen("/m/a", 1, kLong)}), 0), ChangeKind::kRenamed);
}

TEST(Rotation, ShorterIsTruncatedOnlyAfterAnotherBootATailMayBeLost) {
  KnownContent k = known("/l/a", 1, kLong, 3000);
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, kLong.substr(0, 2000))}), 0),
            ChangeKind::kTruncated);
  k.same_boot = false;
  const auto changes = decide({k}, {seen("/l/a", 1, kLong.substr(0, 2000))}, true);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, ChangeKind::kTailLost);
  EXPECT_EQ(changes[0].offset, 2000u);
  EXPECT_EQ(changes[0].crc, crc32c(0, kLong.substr(0, 2000)));
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, std::string(2000, 'y'))}, true), 0),
            ChangeKind::kTruncated);
}

TEST(Rotation, SuspectBytesAreAnotherContent) {
  KnownContent k = known("/l/a", 1, kLong, 3000);
  k.suspect = true;
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, std::string(5000, 'y'))}), 0),
            ChangeKind::kTruncated);
}

// FUSE and NFS: two mounts look like one file system, with the same numbers and no births.
File unnumbered(std::string_view path, std::uint64_t inode, std::string content) {
  File f = seen(path, inode, std::move(content));
  f.seen.stat.numbered = false;
  f.seen.stat.birth_ns = 0;
  return f;
}

TEST(Rotation, EqualNumbersOfFileSystemsWithoutAnIdAreToldApartByTheirDirectories) {
  const std::string one = "one " + kLong, two = "two " + kLong;
  const std::vector<KnownContent> before{known("/m/1/a", 64, one, 3000),
                                         known("/m/2/a", 64, two, 3000)};
  std::vector<File> now{unnumbered("/m/1/a.1", 64, one), unnumbered("/m/2/a", 64, two + "more")};
  for (int turn = 0; turn < 2; ++turn) {  // in whichever order they are found
    for (const Change& change : decide(before, now)) {
      ASSERT_TRUE(change.known && change.seen);
      EXPECT_EQ(before[*change.known].path.substr(0, 5), now[*change.seen].seen.path.substr(0, 5));
    }
    std::swap(now[0], now[1]);
  }
}

TEST(Rotation, ContentsThatBeginAlikeAreAskedAboutTogether) {
  std::vector<KnownContent> before;  // more than there are rounds
  for (std::uint64_t i = 0; i < 100; ++i) {
    before.push_back(known("/l/old", 100 + i, kLong, 1500 + i));
    before.back().finished = true;
    before.back().crc = 1;
  }
  EXPECT_EQ(of_seen(decide(before, {seen("/l/a", 1, kLong)}), 0), ChangeKind::kNew);
  before[70].crc = crc32c(0, kLong.substr(0, 1570));
  EXPECT_EQ(of_seen(decide(before, {seen("/l/a", 1, kLong)}), 0), ChangeKind::kResumed);
}

TEST(Rotation, InAnotherDirectoryOfFileSystemsWithoutAnIdTheBytesDecide) {
  const KnownContent k = known("/m/1/a", 64, kLong, 3000);
  EXPECT_EQ(of_seen(decide({k}, {unnumbered("/m/2/b", 64, std::string(4000, 'y'))}), 0),
            ChangeKind::kNew);
  EXPECT_EQ(of_seen(decide({k}, {unnumbered("/m/1/old/a", 64, kLong)}), 0), ChangeKind::kRenamed);
}

TEST(Rotation, TheSameInodeBornAgainIsNew) {
  File f = seen("/l/a", 1, "tiny\n");
  f.seen.stat.birth_ns = 999;
  const auto changes = decide({known("/l/a", 1, "old content\n", 12)}, {f});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kNew);
  EXPECT_EQ(changes.size(), 2u);
}

TEST(Rotation, CopytruncateResumesInTheCopy) {
  const auto changes = decide({known("/l/a", 1, kLong, 2500)},
                              {seen("/l/a", 1, "fresh\n"), seen("/l/a.1", 2, kLong)});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kTruncated);
  for (const Change& c : changes) {
    if (c.seen != 1u) continue;
    EXPECT_EQ(c.kind, ChangeKind::kResumed);
    EXPECT_EQ(c.offset, 2500u);
  }
}

TEST(Rotation, ACopyBesideItsOriginalWaitsForIt) {
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 2500)},
                           {seen("/l/a", 1, kLong), seen("/l/a.1", 2, kLong)}),
                    1),
            ChangeKind::kWait);
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 3000)},
                           {seen("/l/a", 1, kLong), seen("/l/backup", 2, kLong)}),
                    1),
            ChangeKind::kDuplicate);
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 3000)},
                           {seen("/l/a", 1, kLong), seen("/l/backup", 2, kLong.substr(0, 2000))}),
                    1),
            ChangeKind::kDuplicate);
  File copying = seen("/l/a.1", 2, kLong.substr(0, 2000));
  copying.seen.quiet = false;
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 3000)}, {seen("/l/a", 1, kLong), copying}), 1),
            ChangeKind::kWait);
}

TEST(Rotation, AShortCommonStartIsNoCopy) {
  const auto changes =
      decide({known("/l/a", 1, "starting\n", 9)},
             {seen("/l/a", 1, "starting\n"), seen("/l/b", 2, "starting\nother\n")});
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kNew);
}

TEST(Rotation, AnotherFileSystemNumberIsBelievedWithProof) {
  File f = seen("/l/a", 1, kLong + "more");
  f.seen.stat.filesystem = 77;
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 3000)}, {f}, true), 0), ChangeKind::kSame);
  f.content = std::string(4000, 'y');
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, kLong, 3000)}, {f}, true), 0), ChangeKind::kNew);
}

// A header of more than 1 KiB, as CSV files have: whoever begins alike is not therefore a copy.
TEST(Rotation, AShorterFileIsNoCopyOfAContentThatIsGone) {
  const std::string header(1500, 'h');
  const KnownContent gone = known("/l/a.csv", 1, header + std::string(5000, 'r'), 6500);
  for (const bool first_look : {false, true})
    for (const char* path : {"/l/a.csv", "/l/a.csv.1", "/l/b.csv"})
      for (const bool quiet : {false, true}) {
        File file = seen(path, 2, header + "new rows\n");
        file.seen.quiet = quiet;
        const ChangeKind kind = of_seen(decide({gone}, {file}, first_look), 0);
        // A rotated name that still grows may be a copy being made of something else.
        EXPECT_TRUE(kind == ChangeKind::kNew || (kind == ChangeKind::kWait && !quiet)) << path;
      }
}

// Written on after the copy was made, and read: the copy is shorter than the position.
TEST(Rotation, AShorterFileIsACopyIfItIsEqualUpToAMark) {
  std::string content(1500, 'h');
  for (int i = 0; i < 1000; ++i) content += std::to_string(i) + "\n";
  KnownContent gone = known("/l/a.log", 1, content, content.size());
  gone.finished = true;
  for (const std::uint64_t position : {4500u, 5000u})
    set_mark(gone.marks, position, crc32c(0, std::string_view(content).substr(0, position)));

  const auto kind_of = [&](const char* path, const std::string& bytes) {
    return of_seen(decide({gone}, {seen("/l/a.log", 1, "new\n"), seen(path, 2, bytes)}), 1);
  };
  EXPECT_EQ(kind_of("/l/a.log.1", content.substr(0, 5200)), ChangeKind::kDuplicate);
  EXPECT_EQ(kind_of("/l/a.log.1", content.substr(0, 4600)), ChangeKind::kDuplicate);
  EXPECT_EQ(kind_of("/l/a.log.1", content.substr(0, 4400)), ChangeKind::kNew) << "before the marks";
  EXPECT_EQ(kind_of("/l/a.log.1", content.substr(0, 1500) + std::string(3700, 'r')),
            ChangeKind::kNew);
  EXPECT_EQ(kind_of("/l/b.log.1", content.substr(0, 5200)), ChangeKind::kNew) << "another family";
  gone.marks[1] = {};
  gone.marks[0] = {1500, crc32c(0, std::string(1500, 'h'))};
  EXPECT_EQ(kind_of("/l/a.log.1", content.substr(0, 5200)), ChangeKind::kNew)
      << "a header proves nothing";
}

// One change for each file, also where the last answer is still being worked out.
TEST(Rotation, ACopyThatIsStillHashedWaits) {
  KnownContent k = known("/l/a", 1, kLong, 2900);
  k.marks = {{{2000, crc32c(0, std::string_view(kLong).substr(0, 2000))}, {}}};
  SeenFile copy = seen("/l/a.1", 2, kLong.substr(0, 2500)).seen;
  copy.head = kLong.substr(0, kPrefixBytes);
  copy.crcs = {{2000, k.marks[0].crc}};
  copy.hashing = true;
  const Comparison c = compare({k}, {copy});
  ASSERT_EQ(c.changes.size(), 2u);
  EXPECT_EQ(c.changes[0].kind, ChangeKind::kWait);
  EXPECT_EQ(c.changes[1].kind, ChangeKind::kGone);
}

TEST(Rotation, MarksAreInTheLastQuarterOfWhatWasReadInSmallSteps) {
  ContentMarks marks;
  for (std::uint64_t position = 0; position < 1000000; position += 100) {
    set_mark(marks, position, static_cast<std::uint32_t>(position));
    if (position < 10000) continue;
    EXPECT_LE(marks[0].length, position);
    EXPECT_LT(marks[1].length, marks[0].length);
    EXPECT_GE(marks[1].length, position * 3 / 4);
    EXPECT_EQ(marks[1].crc, marks[1].length);
  }
}

TEST(FileNote, KeepsItsMarksAndReadsNotesThatHaveNone) {
  FileNote note;
  note.boot_id = "boot";
  note.last_seen = 7;
  note.marks = {{{5000, 1}, {4500, 2}}};
  EXPECT_FALSE(decode_note(encode(note)).unreadable);
  note.unreadable = true;
  const std::string text = encode(note);
  const FileNote read = decode_note(text);
  EXPECT_TRUE(read.unreadable);
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.marks[0].length, 5000u);
  EXPECT_EQ(read.marks[1].crc, 2u);
  const FileNote without_time = decode_note(text.substr(0, text.size() - 9));
  EXPECT_EQ(without_time.marks[1].length, 4500u);
  EXPECT_EQ(without_time.mtime_ns, 0);
  const FileNote older = decode_note(text.substr(0, text.size() - 21));
  EXPECT_EQ(older.last_seen, 7u);
  EXPECT_EQ(older.marks[0].length, 0u);
}

TEST(Rotation, AnEarlierStateThatABootPutBackIsNotReadAgain) {
  KnownContent gone = known("/l/a", 1, kLong, 3000);
  gone.same_boot = false;
  EXPECT_EQ(of_seen(decide({gone}, {seen("/l/a", 2, kLong.substr(0, 2000))}, true), 0),
            ChangeKind::kDuplicate);
  EXPECT_EQ(of_seen(decide({gone}, {seen("/l/b", 2, kLong.substr(0, 2000))}, true), 0),
            ChangeKind::kNew)
      << "under its own name only";
}

TEST(Rotation, ARestoredFileResumesAtTheFirstLook) {
  auto k = known("/l/a", 1, "short\n", 6);
  File back = seen("/l/a", 5, "short\nnew\n");
  back.seen.stat.mtime_ns = 70;
  const auto found = [&](std::int64_t known_mtime, bool same_boot, bool first = true) {
    k.mtime_ns = known_mtime;
    k.same_boot = same_boot;
    return of_seen(decide({k}, {back}, first), 0);
  };
  EXPECT_EQ(found(80, true), ChangeKind::kResumed) << "its time was kept";
  EXPECT_EQ(found(60, true), ChangeKind::kNew) << "written anew";
  EXPECT_EQ(found(0, true), ChangeKind::kNew);
  EXPECT_EQ(found(60, false), ChangeKind::kResumed) << "the last lines before the boot";
  EXPECT_EQ(found(0, false), ChangeKind::kResumed);
  EXPECT_EQ(found(80, true, false), ChangeKind::kNew) << "not before the first look";
  k.offset = 10;
  k.crc = crc32c(0, back.content);
  EXPECT_EQ(found(60, false), ChangeKind::kNew) << "all of it anew";
}

TEST(Rotation, ARotationThatIsOverwrittenWaitsUntilItIsClear) {
  const auto k = known("/l/a.1", 1, kLong, 3000);
  const auto changes =
      decide({known("/l/a", 7, "x\n", 2), k}, {seen("/l/a", 7, "x\n"), seen("/l/a.1", 1, "other")});
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[1].kind, ChangeKind::kOverwritten);
  EXPECT_EQ(changes[2].kind, ChangeKind::kWait);
  EXPECT_FALSE(changes[2].precedes) << "a log is not held back for its copy";
}

// Where births are not told, an archive may have the number of a log that is gone.
// cp a a.1; : >a
TEST(Rotation, ACopyOfTheLogThatIsWrittenOverARotationOfItsHeaderIsNotItsRest) {
  const std::string content = "# header\n" + kLong;
  const KnownContent header = known("/l/a.1", 1, "# header\n", 9);
  const KnownContent log = known("/l/a", 2, content, 2500);
  const File copy = seen("/l/a.1", 1, content);
  auto changes = decide({header, log}, {copy, seen("/l/a", 2, "")});  // read before the other
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].kind, ChangeKind::kOverwritten);
  EXPECT_EQ(changes[1].kind, ChangeKind::kTruncated);
  EXPECT_EQ(changes[2].kind, ChangeKind::kResumed);
  EXPECT_EQ(changes[2].offset, 2500u);
  // Not truncated yet.
  changes = decide({header, log}, {copy, seen("/l/a", 2, content)});
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].kind, ChangeKind::kOverwritten);
  EXPECT_EQ(changes[1].kind, ChangeKind::kSame);
  EXPECT_EQ(changes[2].kind, ChangeKind::kWait);
}

TEST(Rotation, WhatTheLogDoesNotHoldIsTheRestOfItsRotation) {
  const KnownContent header = known("/l/a.1", 1, "# header\n", 9);
  const File grown = seen("/l/a.1", 1, "# header\n" + kLong);
  const KnownContent other = known("/l/a", 2, "# header\n" + std::string(3000, 'y'), 2500);
  EXPECT_EQ(of_seen(decide({header, other}, {grown}), 0), ChangeKind::kSame);
  // The same lines again, as a job writes them every night.
  const KnownContent before = known("/l/a.2", 2, "# header\n" + kLong, 2500);
  EXPECT_EQ(of_seen(decide({header, before}, {grown}), 0), ChangeKind::kSame);
}

TEST(Rotation, AnInodesNumberAloneProvesNothingOfACompressedFile) {
  auto k = known("/l/a.1", 1, kLong, 3000);
  k.identity.birth_ns = 0;
  EXPECT_EQ(of_seen(decide({known("/l/a", 7, "x\n", 2), k},
                           {seen("/l/a", 7, "x\n"), seen("/l/a.1.gz", 1, "another content")}),
                    1),
            ChangeKind::kOverwritten);
  EXPECT_EQ(of_seen(decide({known("/l/a", 7, "x\n", 2), k},
                           {seen("/l/a", 7, "x\n"), seen("/l/a.1.gz", 1, kLong)}),
                    1),
            ChangeKind::kRenamed);
}

TEST(Rotation, ACompressedFileThatWasWrittenAnewIsCompared) {
  auto k = known("/l/a.1.gz", 1, kLong, 3000);
  k.compressed = k.complete = true;
  k.size = kLong.size();
  k.mtime_ns = 5;
  File now = seen("/l/a.1.gz", 1, "another content");
  const auto live = known("/l/a", 7, "x\n", 2);
  const File log = seen("/l/a", 7, "x\n");
  EXPECT_EQ(of_seen(decide({live, k}, {log, now}), 1), ChangeKind::kOverwritten);
  now = seen("/l/a.1.gz", 1, kLong);
  EXPECT_EQ(of_seen(decide({live, k}, {log, now}), 1), ChangeKind::kSame);
}

TEST(Rotation, ANumberAtTheEndMakesNoRotationOfALog) {
  const auto k = known("/l/port-1", 1, kLong, 3000);
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/port-1", 1, "other")}), 0), ChangeKind::kTruncated);
}

TEST(Rotation, ADoubtfulContentIsComparedWhole) {
  auto k = known("/l/a", 1, kLong, 3000);
  k.doubtful = true;
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, kLong)}), 0), ChangeKind::kSame);
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, kLong + "more")}), 0), ChangeKind::kSame);
  std::string other = kLong;
  other[2000] = 'y';
  EXPECT_EQ(of_seen(decide({k}, {seen("/l/a", 1, other)}), 0), ChangeKind::kTruncated);
}

TEST(Rotation, CompressedRotationsResumeInside) {
  const auto changes = decide({known("/l/a", 1, kLong, 2000)},
                              {seen("/l/a", 2, "new\n"), seen("/l/a.1.gz", 3, kLong)});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kNew);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kResumed);
}

// Of two that were read equally far: or the unfinished line of the other one would be read twice.
TEST(Rotation, ACopyTakesOverFromTheContentStillFollowed) {
  KnownContent original = known("/l/a", 1, kLong, 2000);
  original.finished = true;  // truncated: it went on in /l/a.1, which is compressed now
  const KnownContent copy = known("/l/a.1", 2, kLong, 2000);
  for (const auto& before : {std::vector{original, copy}, std::vector{copy, original}}) {
    const auto changes = decide(before, {seen("/l/a.2.gz", 3, kLong)});
    ASSERT_EQ(of_seen(changes, 0), ChangeKind::kResumed);
    EXPECT_FALSE(before[changes[0].known.value()].finished);
  }
}

TEST(Rotation, ACompressedFileBehindACommonHeaderIsNoDuplicate) {
  const auto changes =
      decide({known("/l/a", 1, "# header\n", 9)},
             {seen("/l/a", 1, "# header\n"), seen("/l/a.1.gz", 2, "# header\nnever read\n")});
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kResumed);
}

KnownContent skipped(std::string_view path, std::uint64_t inode, std::string_view content) {
  KnownContent k = known(path, inode, content, 0);
  k.offset = 40;  // its size on the disk
  k.crc_known = false;
  k.complete = true;
  k.mtime_ns = 7'000'000'123;
  return k;
}

// What has the size of a compressed copy of it, and the time of what is unpacked.
File made_of(const KnownContent& archive, std::string_view path, std::string content) {
  File f = seen(path, 2, std::move(content));
  f.seen.stat.mtime_ns = archive.mtime_ns;
  if (f.seen.format != Format::kPlain) f.seen.stat.size = archive.offset;
  return f;
}

TEST(Rotation, ACopyOfASkippedArchiveIsNotReadEither) {
  const KnownContent archive = skipped("/l/a.1.gz", 1, kLong);
  const File again = made_of(archive, "/l/a.2.gz", kLong);
  EXPECT_EQ(of_seen(decide({archive}, {again}), 0), ChangeKind::kDuplicate);
  EXPECT_EQ(of_seen(decide({archive}, {again, seen("/l/a.1.gz", 1, kLong)}), 0),
            ChangeKind::kDuplicate);
}

TEST(Rotation, ASkippedArchiveThatIsUnpackedIsSkippedToItsEnd) {
  const KnownContent archive = skipped("/l/a.1.gz", 1, kLong);
  const KnownContent log = known("/l/a", 3, "", 0);
  File unpacked = made_of(archive, "/l/a.1", kLong);
  for (const bool kept : {true, false}) {  // gunzip --keep
    std::vector<File> files = {unpacked};
    if (kept) files.push_back(seen("/l/a.1.gz", 1, kLong));
    const auto changes = decide({archive, log}, files);
    ASSERT_EQ(of_seen(changes, 0), ChangeKind::kDuplicate);
    const auto change = std::ranges::find(changes, std::optional<std::size_t>(0), &Change::seen);
    EXPECT_EQ(change->offset, kLong.size());
    EXPECT_TRUE(change->crc_known);
    EXPECT_EQ(change->crc, crc32c(0, kLong));
  }
  unpacked.seen.quiet = false;  // still being unpacked
  EXPECT_EQ(of_seen(decide({archive, log}, {unpacked}), 0), ChangeKind::kWait);
  EXPECT_EQ(of_seen(decide({archive, log}, {seen("/l/b", 2, kLong)}), 0), ChangeKind::kNew)
      << "its name tells of another log";
}

TEST(Rotation, WhatBeginsLikeASkippedArchiveAloneIsRead) {
  const KnownContent archive = skipped("/l/a.1.gz", 1, kLong);
  const KnownContent log = known("/l/a", 3, "", 0);
  File rotation = made_of(archive, "/l/a.1", kLong + "never seen\n");
  rotation.seen.stat.mtime_ns += 1;
  EXPECT_EQ(of_seen(decide({archive, log}, {rotation}), 0), ChangeKind::kNew);
  rotation.seen.quiet = false;
  EXPECT_EQ(of_seen(decide({archive, log}, {rotation}), 0), ChangeKind::kWait);
  rotation.seen.waited_long = true;
  EXPECT_EQ(of_seen(decide({archive, log}, {rotation}), 0), ChangeKind::kNew);
  File compressed = made_of(archive, "/l/a.2.gz", kLong + "never seen\n");
  compressed.seen.stat.size += 1;
  EXPECT_EQ(of_seen(decide({archive, log}, {compressed}), 0), ChangeKind::kNew);
}

TEST(Rotation, WhatWasReadIsKnownBeforeWhatWasSkipped) {
  KnownContent read = known("/l/a", 2, kLong, 2000);
  read.finished = true;
  KnownContent archive = skipped("/l/a.7.gz", 1, kLong);
  archive.offset = 5000;
  EXPECT_EQ(of_seen(decide({archive, read}, {seen("/l/a.1", 3, kLong)}), 0), ChangeKind::kResumed);
}

TEST(Rotation, ASkippedArchiveOfAHeaderAloneIsNoRotationThatBeginsWithIt) {
  const KnownContent log = known("/l/a", 3, "", 0);
  const KnownContent archive = skipped("/l/a.7.gz", 1, "# header\n");
  for (const char* path : {"/l/a.1", "/l/a.1.gz"}) {
    EXPECT_EQ(
        of_seen(decide({archive, log}, {made_of(archive, path, "# header\nnever read\n")}), 0),
        ChangeKind::kNew);
    EXPECT_EQ(of_seen(decide({archive, log}, {made_of(archive, path, "# header\n")}), 0),
              ChangeKind::kDuplicate);
  }
}

TEST(Rotation, ACopyWaitsForItsNewOriginalWhateverElseBeganAlike) {
  const auto changes =
      decide({known("/l/a.5", 1, "# header\n", 9)},
             {seen("/l/a", 2, "# header\nnew\n"), seen("/l/a.1", 3, "# header\nnew\n")});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kNew);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kWait);
}

// The file was truncated, written to and copied between two looks.
TEST(Rotation, ACopyWaitsForItsOriginalThatTookATruncatedOnesPlace) {
  const auto changes = decide(
      {known("/l/a", 1, "# header\nmuch that was read\n", 28), known("/l/a.5", 2, "# header\n", 9)},
      {seen("/l/a", 1, "# header\nnew\n"), seen("/l/a.1", 3, "# header\nnew\n")});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kTruncated);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kWait);
}

// It was known while it was empty: no start of it is.
TEST(Rotation, ACopyWaitsForItsOriginalOfWhichNothingWasRead) {
  const auto changes =
      decide({known("/l/a", 1, "", 0), known("/l/a.5", 2, "# header\n", 9)},
             {seen("/l/a", 1, "# header\nnew\n"), seen("/l/a.1", 3, "# header\nnew\n")});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kSame);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kWait);
}

// It waited, held open, while its original was rotated to its name and replaced there.
TEST(Rotation, ACopyIsKnownUnderTheNameThatItsOriginalHasByNow) {
  KnownContent original = known("/l/a.1", 1, "short\n", 6);
  original.finished = true;
  EXPECT_EQ(
      of_seen(decide({original, known("/l/a", 7, "x\n", 2)}, {seen("/l/a.1", 2, "short\n")}), 0),
      ChangeKind::kResumed);
}

TEST(Rotation, ArchivesOfAFamilyNeverFollowedAreLeft) {
  EXPECT_EQ(of_seen(decide({}, {seen("/l/a.1.gz", 3, kLong)}, true), 0), ChangeKind::kSkipped);
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, "z", 1)}, {seen("/l/a.1.gz", 3, kLong)}), 0),
            ChangeKind::kNew);
  EXPECT_EQ(of_seen(decide({known("/l/a", 1, "z", 1)}, {seen("/l/a.1.xz", 3, kLong)}), 0),
            ChangeKind::kUnreadable);
}

TEST(Rotation, OneContentResumesInOnePlace) {
  const auto changes =
      decide({known("/l/a", 1, kLong, 2000)}, {seen("/l/a.1", 2, kLong), seen("/l/a.2", 3, kLong)});
  EXPECT_EQ(of_seen(changes, 0), ChangeKind::kResumed);
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kWait);
}

TEST(Rotation, OneContentResumesInOnePlaceBesideItsOriginalToo) {
  const auto changes = decide({known("/l/a", 1, "# header\n", 9)},
                              {seen("/l/a", 1, "# header\n"), seen("/l/a.1", 2, "# header\nmore\n"),
                               seen("/l/a.1.gz", 3, "# header\nmore\n")});
  EXPECT_EQ(of_seen(changes, 1), ChangeKind::kResumed);
  EXPECT_EQ(of_seen(changes, 2), ChangeKind::kWait);
}

}  // namespace
}  // namespace edgehose
