# Read by cpack before it packs: what the program that was built depends on.
if(NOT CPACK_EDGEHOSE_PAGES)
  message(FATAL_ERROR "This build has no man pages: it needs an emulator (CMAKE_CROSSCOMPILING_EMULATOR)")
endif()
execute_process(
  COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/dependencies.sh ${CPACK_EDGEHOSE_PROGRAM}
    ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE} ${CPACK_EDGEHOSE_SYSROOT}
  OUTPUT_VARIABLE CPACK_DEBIAN_PACKAGE_DEPENDS OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
