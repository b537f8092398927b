archive spdlog -std=c++20 -Os -DNDEBUG -D_LARGEFILE64_SOURCE -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL \
  -I"$tree/include" -I"$prefix/include" -- \
  "$tree"/src/{spdlog,stdout_sinks,color_sinks,file_sinks,async,cfg}.cpp
cp -r "$tree/include/spdlog" "$prefix/include/"
imported spdlog 'INTERFACE_COMPILE_DEFINITIONS "SPDLOG_COMPILED_LIB;SPDLOG_FMT_EXTERNAL"' \
  'INTERFACE_LINK_LIBRARIES fmt::fmt'
