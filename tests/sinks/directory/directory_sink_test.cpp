#include "sinks/directory/directory_sink.h"

#include <gmock/gmock.h>

#include <set>

#include "agent/sources/glob.h"
#include "sinks/directory/file_transport.h"
#include "sinks/object/object_encoder.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::unique_ptr<DirectorySink> make(const std::string& agent = "gw-0042",
                                    const std::string& prefix = "!{timestamp:yyyy/MM/dd/HH}/") {
  DirectoryConfig config;
  config.common.name = "archive";
  config.path = "/media/usb/logs";
  config.object.prefix = prefix;
  std::vector<std::string> warnings;
  auto sink = DirectorySink::create(config, {agent, {}, "UTC"}, warnings);
  EXPECT_TRUE(sink) << sink.error().message;
  return std::move(*sink);
}

BatchOutline outline(const std::string& source = "app") {
  BatchOutline batch;
  batch.source = source;
  batch.epoch.fill(0xAB);
  batch.first = Sequence{1};
  batch.last = Sequence{4711};
  batch.first_time = WallTime(1'795'397'040'000'000'000);  // 2026-11-23T01:24:00Z
  return batch;
}

FileResponse failure(ErrorCode code, int sys) {
  FileResponse response;
  response.status = tl::unexpected<Error>(Error{code, sys, "words"});
  return response;
}

TEST(DirectorySink, TheKeySaysWhatIsInIt) {
  EXPECT_EQ(make()->key(outline(), ""),
            "2026/11/23/01/app-20261123T012400Z-gw-0042-abababababababababababababababab-"
            "000000000001-000000004711.log.zst");
}

TEST(DirectorySink, KnowsItsOwnFilesByWhateverPath) {
  const auto own = [](const DirectorySink& sink, const std::string& path) {
    return excluded(sink.own_files(), path);
  };
  const auto mine = make();
  const std::string base = "/media/usb/logs/";
  const std::string key = mine->key(outline(), "");
  EXPECT_TRUE(own(*mine, base + key));
  EXPECT_TRUE(own(*mine, "/srv/link/" + key)) << "a link leads there";
  const auto prefixed = make("gw-0042", "logs-");
  EXPECT_TRUE(own(*mine, base + prefixed->key(outline("a b"), "")));
  const std::string name = key.substr(key.rfind('/') + 1);
  EXPECT_TRUE(own(*mine, base + "2026/" + temporary_name(name)));
  EXPECT_TRUE(own(*mine, base + temporary_name(name + std::string(100, 'x'))));
  const std::string others = make("gw-7")->key(outline(), "");
  EXPECT_TRUE(own(*mine, base + others));
  EXPECT_FALSE(own(*mine, "/srv/collected/" + others)) << "a log like any other";
  EXPECT_FALSE(own(*mine, base + "app.log"));
  EXPECT_FALSE(own(*mine, base + "app-20261123T012400Z.log"));
}

TEST(DirectorySink, APrefixThatNoFileSystemTakesIsRefusedAtTheStart) {
  DirectoryConfig config;
  config.path = "/media/usb/logs";
  config.object.prefix = "a/" + std::string(256, 'x') + "/!{timestamp:yyyy}/";
  std::vector<std::string> warnings;
  const auto sink = DirectorySink::create(config, {"gw", {}, "UTC"}, warnings);
  ASSERT_FALSE(sink);
  EXPECT_THAT(sink.error().message, HasSubstr("256 bytes; 255 are possible"));
  config.object.prefix = "a/" + std::string(255, 'x') + "/!{timestamp:yyyy}/";
  EXPECT_TRUE(DirectorySink::create(config, {"gw", {}, "UTC"}, warnings));
}

TEST(DirectorySink, TheKeyIsAFunctionOfTheBatchAlone) {
  EXPECT_EQ(make()->key(outline(), ""), make()->key(outline(), ""));
  std::set<std::string> keys{make()->key(outline(), "")};
  const auto differs = [&](const std::string& key) { return keys.insert(key).second; };
  BatchOutline batch = outline();
  batch.epoch[15] = 0;
  EXPECT_TRUE(differs(make()->key(batch, "")));
  batch = outline();
  batch.first = Sequence{2};
  EXPECT_TRUE(differs(make()->key(batch, "")));
  batch = outline();
  batch.last = Sequence{4712};
  EXPECT_TRUE(differs(make()->key(batch, "")));
  for (const char* source : {"App", "a/pp", "a_pp", "a%2Fpp", ""})
    EXPECT_TRUE(differs(make()->key(outline(source), "")));
  EXPECT_TRUE(differs(make("gw-0043")->key(outline(), "")));
}

TEST(DirectorySink, LongAndOddNamesStayWithinAComponent) {
  BatchOutline batch = outline(std::string(300, '/'));
  batch.first = batch.last = Sequence{UINT64_MAX};
  const std::string key = make(std::string(300, 'a'), "x/!{timestamp:yyyy}/")->key(batch, "");
  const std::string name = key.substr(key.rfind('/') + 1);
  EXPECT_LE(name.size(), 255u - 5) << "with room for a temporary name";
  EXPECT_EQ(key.find('/', key.find('/', 2) + 1), std::string::npos) << key;
  EXPECT_NE(make(std::string(300, 'a'))->key(batch, ""),
            make(std::string(301, 'a'))->key(batch, ""));
}

TEST(DirectorySink, RequestsWhatTheClaimSaysWhateverTheConfigSaysByNow) {
  Batch batch;
  batch.claim.key = "old/prefix/x.log.gz";
  const Request request = make()->request(batch, "type=1", nullptr);
  const auto& file = std::get<FileRequest>(request);
  EXPECT_EQ(file.directory, "/media/usb/logs");
  EXPECT_EQ(file.name, "old/prefix/x.log.gz");
  EXPECT_EQ(file.expected_filesystem, "type=1");
}

TEST(DirectorySink, TheRenderingIsPersisted) {
  const auto rendering = parse_rendering(make()->rendering());
  ASSERT_TRUE(rendering);
  EXPECT_EQ(rendering->agent, "gw-0042");
  EXPECT_EQ(rendering->compression, ObjectRendering::Compression::kZstd);
}

TEST(DirectorySink, WhatNeedsAPersonParksTheRestIsRetried) {
  const auto sink = make();
  const auto parks = [&](const FileResponse& response) {
    return std::holds_alternative<Park>(sink->judge({}, response));
  };
  EXPECT_TRUE(std::holds_alternative<Delivered>(sink->judge({}, FileResponse{})));
  FileResponse missing = failure(ErrorCode::kUnavailable, 0);
  missing.missing = true;
  EXPECT_TRUE(parks(missing));
  FileResponse other = failure(ErrorCode::kUnavailable, 0);
  other.other_filesystem = true;
  EXPECT_TRUE(parks(other));
  EXPECT_EQ(std::get<Park>(sink->judge({}, other)).reason,
            "words, or accept the new one: edgehose buffer confirm " + sink->name() + " --yes");
  EXPECT_TRUE(parks(failure(ErrorCode::kPermission, EACCES)));
  EXPECT_TRUE(parks(failure(ErrorCode::kIo, EROFS)));
  EXPECT_FALSE(parks(failure(ErrorCode::kFull, ENOSPC)));
  EXPECT_FALSE(parks(failure(ErrorCode::kIo, EIO)));
  EXPECT_EQ(std::get<Retry>(sink->judge({}, failure(ErrorCode::kIo, EIO))).reason, "words");
}

TEST(DirectorySink, WhatTheSystemSaysComesWithWhatToDo) {
  const auto sink = make();
  const auto parked = [&](ErrorCode code, int sys) {
    return std::get<Park>(sink->judge({}, failure(code, sys))).reason;
  };
  EXPECT_THAT(parked(ErrorCode::kPermission, EACCES), StartsWith("words; grant it with: setfacl"));
  EXPECT_EQ(parked(ErrorCode::kIo, EROFS),
            "words; let the service write there: systemctl edit edgehose: [Service] "
            "ReadWritePaths=-/media/usb/logs, then restart it; or, where the file system is "
            "mounted read-only: mount -o remount,rw it");
  EXPECT_EQ(std::get<Retry>(sink->judge({}, failure(ErrorCode::kFull, ENOSPC))).reason,
            "words; make room there");
}

TEST(DirectorySink, RightsAreGrantedWhereTheyLack) {
  const auto sink = make();
  const auto reason = [&](const std::string& refusing) {
    FileResponse response = failure(ErrorCode::kPermission, EACCES);
    response.refusing = refusing;
    return std::get<Park>(sink->judge({}, response)).reason;
  };
  const std::string user = this_user();
  EXPECT_EQ(reason("/media/usb/logs/2026/11"), "words; grant it with: setfacl -m u:" + user +
                                                   ":rwx /media/usb/logs/2026/11 (package "
                                                   "acl)");
  EXPECT_EQ(reason("/media/usb"),
            "words; open the way with: setfacl -m u:" + user +
                ":x /media/usb (package acl), or, "
                "if /media/usb/logs is not there, make it with: install -d -o " +
                user + " /media/usb/logs");
}

TEST(DirectorySink, LearnsTheFileSystemOnce) {
  const auto sink = make();
  FileResponse response;
  response.filesystem = "type=ef53 fsid=01";
  EXPECT_EQ(sink->learn("", response), "type=ef53 fsid=01");
  EXPECT_EQ(sink->learn("type=ef53 fsid=01 uuid=x", response), std::nullopt);
}

TEST(DirectorySink, AWrongPrefixIsAnError) {
  DirectoryConfig config;
  config.object.prefix = "!{timestamp:";
  std::vector<std::string> warnings;
  EXPECT_FALSE(DirectorySink::create(config, {"a", {}, "UTC"}, warnings));
}

FileResponse refused() {
  FileResponse response = failure(ErrorCode::kInvalid, EINVAL);
  response.filesystem = "type=4d44 fsid=01";
  response.name_refused = true;
  return response;
}

TEST(DirectorySink, ANameThatTheFileSystemNeverTakesIsToldWithItsCharacter) {
  Batch batch;
  batch.claim.key = "2026/01:30/x.log.zst";
  const Verdict verdict = make()->judge(batch, refused());
  EXPECT_EQ(std::get<KeyRefused>(verdict).reason, "words: ':' in \"01:30\"");
}

TEST(DirectorySink, ARefusedNameMakesAllThatFollowPortable) {
  const auto sink = make("gw-0042", "!{timestamp:HH:mm}/");
  EXPECT_TRUE(sink->key(outline(), "type=4d44 fsid=01").starts_with("01:24/app-"));
  const auto note = sink->learn("", refused());
  EXPECT_EQ(note, "names=portable") << "no file was delivered: the medium is not known yet";
  EXPECT_EQ(sink->learn("type=4d44 fsid=01", refused()), "type=4d44 fsid=01 names=portable");
  EXPECT_EQ(sink->learn("type=4d44 fsid=01 names=portable", refused()), std::nullopt);
  EXPECT_EQ(sink->key(outline(), *note),
            "01%3A24/app-20261123T012400Z-gw-0042-abababababababababababababababab-"
            "000000000001-000000004711.log.zst");
  FileResponse delivered;
  delivered.filesystem = "type=4d44 fsid=01";
  EXPECT_EQ(sink->learn("names=portable", delivered), "type=4d44 fsid=01 names=portable");
  const Request request = sink->request({}, "type=4d44 fsid=01 names=portable", nullptr);
  EXPECT_EQ(std::get<FileRequest>(request).expected_filesystem, "type=4d44 fsid=01");
}

TEST(DirectorySink, PortableNamesAreShortAndStillDiffer) {
  const std::string note = "names=portable";
  const auto name = [&](const std::string& agent, const std::string& source) {
    const std::string key = make(agent, "x/!{timestamp:yyyy}/")->key(outline(source), note);
    return key.substr(key.rfind('/') + 1);
  };
  EXPECT_LE(name(std::string(300, 'a'), std::string(300, 's')).size(), 143u);
  EXPECT_NE(name(std::string(300, 'a'), "app"), name(std::string(301, 'a'), "app"));
  EXPECT_NE(name("gw", std::string(30, 's') + "a"), name("gw", std::string(30, 's') + "b"));
}

TEST(DirectorySink, SourcesThatDifferInCapitalsDifferWhereCapitalsDoNotCount) {
  std::set<std::string> keys;
  for (const char* source : {"app", "App", "APP"}) {
    std::string key = make()->key(outline(source), "");
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_TRUE(keys.insert(key).second) << key;
  }
}

TEST(DirectorySink, AFileThatHasItsNameMayHaveArrived) {
  FileResponse response = failure(ErrorCode::kIo, EIO);
  EXPECT_FALSE(std::get<Retry>(make()->judge({}, response)).maybe_arrived);
  response.renamed = true;
  EXPECT_TRUE(std::get<Retry>(make()->judge({}, response)).maybe_arrived);
}

}  // namespace
}  // namespace edgehose
