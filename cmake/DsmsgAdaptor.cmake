# SPDX-License-Identifier: Apache-2.0
# dsmsg_hide_symbols(<shared library target>)
#
# All symbol hygiene is here, because a process may hold several adaptors, each with its own copy of the core.
# Measured: hidden visibility alone still binds to the library that was loaded first.
#   version script         exports only the contract (and nothing of a static library: --exclude-libs)
#   -Bsymbolic-functions   an adaptor's call to its own export reaches itself
#   -z nodelete            a host may dlclose while a detached name lookup still runs
#   -z defs, --as-needed   what is missing shows when linking; NEEDED names only what is used
# tests/abi proves it, with a control linked without these flags.
function(dsmsg_hide_symbols target)
  set(script ${PROJECT_SOURCE_DIR}/cmake/adaptor.map)
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${script} -Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,--as-needed -Wl,--exclude-libs,ALL)
  if(NOT DSMSG_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LINK_DEPENDS ${script})
endfunction()

# dsmsg_add_adaptor(<name> SOURCES <files> PKG <pkg-config module> PACKAGE <debian package> [LIBS <targets>])
#
# Builds libnvds_<name>_proto.so from a driver and the core.
function(dsmsg_add_adaptor name)
  cmake_parse_arguments(ARG "" "PKG;PACKAGE" "SOURCES;LIBS" ${ARGN})
  string(TOUPPER "DSMSG_${name}_LIB" var)
  dsmsg_pkg(${var} ${ARG_PKG} ${ARG_PACKAGE})
  if(NOT ${var}_FOUND)
    return()
  endif()
  set(target nvds_${name}_proto)
  add_library(${target} SHARED ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/csrc/core/export.cc)
  target_link_libraries(${target} PRIVATE dsmsg_core dsmsg_flags PkgConfig::${var} ${ARG_LIBS})
  dsmsg_hide_symbols(${target})
  # For tests/abi: the library that the adaptor is expected to need.
  list(TRANSFORM ${var}_LIBRARIES PREPEND lib OUTPUT_VARIABLE clients)
  set_target_properties(${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${DSMSG_LIB_DIR} DSMSG_CLIENT_LIBRARIES "${clients}")
  install(TARGETS ${target} LIBRARY DESTINATION lib COMPONENT adaptors)
  set_property(GLOBAL APPEND PROPERTY DSMSG_ADAPTORS ${name})
endfunction()
