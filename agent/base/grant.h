// What to do where a user may not read or write: the command to copy, with the user named.
//
// Threading: any thread. Asks the system's user database; changes nothing.
#pragma once

#include <string>

namespace edgehose {

// Whom this process acts as, by name; by number where that has none.
std::string this_user();

// "grant it with: setfacl -m u:edgehose:r PATH, ..." for this_user(). The directory's default is
// for what is made later: each rotation is a new file, with the rights of its own.
std::string how_to_grant(const std::string& path, bool directory);

// "grant it with: setfacl -m u:USER:rwx DIRECTORY ..."
std::string how_to_grant_writing(const std::string& directory, const std::string& user);

}  // namespace edgehose
