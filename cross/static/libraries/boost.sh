archive boost_program_options -std=c++17 -Os -DNDEBUG -I"$prefix/include" -- \
  "$tree"/libs/program_options/src/[!w]*.cpp  # not winmain.cpp
