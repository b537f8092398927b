#include "agent/base/grant.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgehose {
namespace {

TEST(Grant, NamesWhoActsAndWhatComesLater) {
  const std::string user = this_user();
  EXPECT_EQ(how_to_grant("/var/log/app/a.log", false),
            "grant it with: setfacl -m u:" + user +
                ":r /var/log/app/a.log, and for the files that come after it: setfacl -d -m u:" +
                user + ":rX /var/log/app (package acl)");
  EXPECT_EQ(how_to_grant("/var/log/app", true), "grant it with: setfacl -m u:" + user + ":rX,d:u:" +
                                                    user + ":rX /var/log/app (package acl)");
  EXPECT_EQ(how_to_grant_writing("/mnt/x", "logship"),
            "grant it with: setfacl -m u:logship:rwx /mnt/x (package acl)");
}

TEST(Grant, WhoHasNoNameIsANumber) {
  if (::geteuid() != 0) GTEST_SKIP() << "takes root to become another";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::seteuid(61234) == 0 && this_user() == "61234" ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace edgehose
