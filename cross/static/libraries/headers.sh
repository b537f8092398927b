# Headers that hold no code of an architecture: as Debian's packages have them.
for package in "${header_packages[@]}"; do
  dpkg -L "$package" | sed -n 's,^/usr/\(include\|share/cmake\)/,\1/,p' |
    (cd /usr && while read -r file; do [ -d "$file" ] || echo "$file"; done | tar -c -T -) | tar -x -C "$prefix"
done
# Boost 1.74 does not know that this C++ library has no std::unary_function any more.
echo '#define BOOST_NO_CXX98_FUNCTION_BASE' >>"$prefix/include/boost/config/user.hpp"
