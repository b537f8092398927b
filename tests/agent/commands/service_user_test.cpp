#include "agent/commands/service_user.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace edgehose {
namespace {

TEST(ServiceUser, HasTheGroupsThatTheUnitAdds) {
  const auto user = find_user("nobody");
  const struct group* const group = ::getgrnam("adm");
  if (!is_root() || !user || group == nullptr) GTEST_SKIP() << "only root can become nobody";
  const gid_t adm = group->gr_gid;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!become(*user, {"adm", "a-group-that-is-not-there"})) ::_exit(2);
    std::vector<gid_t> groups(64);
    groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(64, groups.data()))));
    ::_exit(::geteuid() == user->uid && std::ranges::count(groups, adm) == 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ServiceUser, IsFoundByNameOrNumber) {
  EXPECT_EQ(find_user("root")->uid, 0u);
  EXPECT_EQ(find_user("0")->name, "root");
  EXPECT_FALSE(find_user("a-user-that-is-not-there"));
  EXPECT_FALSE(find_user(""));
  EXPECT_EQ(find_group("0"), 0u);
  EXPECT_EQ(find_group("root"), 0u);
  EXPECT_FALSE(find_group("a-group-that-is-not-there"));
  EXPECT_FALSE(find_group(""));
}

TEST(ServiceUser, WhoIsCheckedIsWhoAsks) {
  ServiceUnit unit;
  unit.installed = true;
  unit.text = "[Service]\nUser=logship\n";
  if (!is_root()) {
    EXPECT_NE(checked_user(unit), "logship");
    return;
  }
  EXPECT_EQ(checked_user(unit), "logship") << "root asks for the service";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(become(*find_user("nobody")) && checked_user(unit) == "nobody" ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ServiceUser, OwnsTheDataDirThatRootMakes) {
  const auto user = find_user("nobody");
  if (!is_root() || !user) GTEST_SKIP() << "only root gives directories away";
  char name[] = "/tmp/edgehose-data-XXXXXX";
  const std::string root = ::mkdtemp(name);
  ASSERT_TRUE(make_data_dir(root, user));
  EXPECT_EQ(owner_of(root)->uid, 0u) << "it was there";
  ASSERT_TRUE(make_data_dir(root + "/none", std::nullopt));
  EXPECT_FALSE(std::filesystem::exists(root + "/none"));
  ASSERT_TRUE(make_data_dir(root + "/lib/data", user));
  EXPECT_EQ(owner_of(root + "/lib")->uid, 0u);
  EXPECT_EQ(owner_of(root + "/lib/data")->uid, user->uid);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace edgehose
