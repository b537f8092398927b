archive fmt -std=c++20 -Os -DNDEBUG -I"$tree/include" -- "$tree"/src/{format,os}.cc
cp -r "$tree/include/fmt" "$prefix/include/"
imported fmt
