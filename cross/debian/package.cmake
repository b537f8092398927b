# What is installed where, and the Debian package of it. `cpack` in a build folder, native or cross,
# makes edgehose_VERSION_ARCH.deb; cross/package.sh does all of it, from a build to lintian.
set(package_dir ${CMAKE_CURRENT_LIST_DIR})
include(GNUInstallDirs)

# Program and packaging are released together, so their version is one: a native package to Debian.
file(STRINGS ${package_dir}/changelog changelog_head LIMIT_COUNT 1)
if(NOT changelog_head MATCHES "^edgehose \\(${PROJECT_VERSION}\\) ")
  message(FATAL_ERROR "cross/debian/changelog begins with \"${changelog_head}\", and this is "
    "${PROJECT_VERSION}: add an entry")
endif()

# edgehose_compressed(NAME FILE): FILE as NAME.gz in the build folder, without a time in it.
set(docs_dir ${PROJECT_BINARY_DIR}/docs)
function(edgehose_compressed name file)
  add_custom_command(OUTPUT ${docs_dir}/${name}.gz
    COMMAND ${CMAKE_COMMAND} -E make_directory ${docs_dir}
    COMMAND sh -c "gzip -9nc '${file}' >'${docs_dir}/${name}.gz'"
    DEPENDS ${file} VERBATIM)
  set_property(GLOBAL APPEND PROPERTY EDGEHOSE_DOCS ${docs_dir}/${name}.gz)
endfunction()
edgehose_compressed(changelog ${package_dir}/changelog)
edgehose_compressed(CHANGELOG.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md)
edgehose_compressed(README.md ${PROJECT_SOURCE_DIR}/README.md)
edgehose_compressed(OPERATING.md ${PROJECT_SOURCE_DIR}/agent/OPERATING.md)
get_property(compressed_docs GLOBAL PROPERTY EDGEHOSE_DOCS)
add_custom_target(docs ALL DEPENDS ${compressed_docs})

set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/edgehose)
install(TARGETS edgehose RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES systemd/edgehose.service DESTINATION lib/systemd/system)
install(FILES systemd/edgehose.sysusers DESTINATION lib/sysusers.d RENAME edgehose.conf)
install(FILES systemd/edgehose.tmpfiles DESTINATION lib/tmpfiles.d RENAME edgehose.conf)
install(FILES systemd/edgehose.toml DESTINATION /etc/edgehose)
install(FILES ${compressed_docs} ${package_dir}/copyright DESTINATION ${doc_dir})
# Drop-ins cost some of the service's protection: they lie beside it, and are put in place by hand.
install(DIRECTORY systemd/drop-ins DESTINATION ${CMAKE_INSTALL_DATADIR}/edgehose FILES_MATCHING PATTERN "*.conf")
get_property(EDGEHOSE_PAGES GLOBAL PROPERTY EDGEHOSE_PAGES)
if(EDGEHOSE_PAGES)
  install(DIRECTORY ${EDGEHOSE_PAGES}/ DESTINATION ${CMAKE_INSTALL_DATADIR})
endif()

# --- the package ---

# Debian's name of the processor that is built for.
function(edgehose_debian_architecture result)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor MATCHES "^(x86_64|amd64)$")
    set(${result} amd64 PARENT_SCOPE)
  elseif(processor MATCHES "^(aarch64|arm64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(${result} arm64 PARENT_SCOPE)
  elseif(processor MATCHES "^(arm|aarch64)")  # a 32-bit system on a 64-bit kernel, too
    set(${result} armhf PARENT_SCOPE)
  else()
    set(${result} ${processor} PARENT_SCOPE)  # riscv64
  endif()
endfunction()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME edgehose)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "edgehose maintainers <maintainers@edgehose.example>")
set(CPACK_SET_DESTDIR ON)  # /etc is not below the prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
edgehose_debian_architecture(CPACK_DEBIAN_PACKAGE_ARCHITECTURE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "durable delivery of local logs to S3, search, Splunk or a disk")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"edgehose tails the logs of a gateway or another small device into a durable
buffer, compresses and encrypts batches by size or time, and delivers them:
to S3, Elasticsearch, OpenSearch, Splunk, or a directory such as a stick.

It is made for links that fail for days, for power that is cut without
warning, for flash that wears out and for little memory. Nothing that was
committed is lost, and each line arrives exactly once where the destination
allows it.")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, systemd")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "acl, age, rsyslog, zstd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${package_dir}/conffiles;${package_dir}/preinst;${package_dir}/postinst;${package_dir}/prerm;${package_dir}/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Depends are found when it is packed: cpack.cmake.
set(CPACK_PROJECT_CONFIG_FILE ${package_dir}/cpack.cmake)
set(CPACK_EDGEHOSE_PROGRAM ${PROJECT_BINARY_DIR}/agent/edgehose)
set(CPACK_EDGEHOSE_SYSROOT "${CMAKE_SYSROOT}")
set(CPACK_EDGEHOSE_PAGES "${EDGEHOSE_PAGES}")
include(CPack)
