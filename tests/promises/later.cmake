# edgehose_later: this agent, but for the format that it reads and writes, the next release's. Made where it is asked
# for by name, so that a build without tests and GoogleTest can have it: cross/static is one.
add_executable(edgehose_later EXCLUDE_FROM_ALL agent/main.cpp ${CMAKE_CURRENT_LIST_DIR}/later_format.cpp)
target_link_libraries(edgehose_later PRIVATE edgehose_commands)
set_target_properties(edgehose_later PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/promises)
