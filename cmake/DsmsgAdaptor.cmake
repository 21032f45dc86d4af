# SPDX-License-Identifier: Apache-2.0
# dsmsg_hide_symbols(<shared library target> [<version script in cmake/>])
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
  if(ARGC GREATER 1)
    set(script ${PROJECT_SOURCE_DIR}/cmake/${ARGV1})
  endif()
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${script} -Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,--as-needed -Wl,--exclude-libs,ALL)
  if(NOT DSMSG_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LINK_DEPENDS ${script})
endfunction()

# dsmsg_drop_in(<shared library target>)
#
# A file that a DeepStream machine takes: built by the target `adaptors`, installed by the component of that name.
function(dsmsg_drop_in target)
  install(TARGETS ${target} LIBRARY DESTINATION lib COMPONENT adaptors)
  set_property(GLOBAL APPEND PROPERTY DSMSG_DROP_INS ${target})
endfunction()

# dsmsg_add_adaptor(<name> SOURCES <files>|DRIVER <name> [PKG <pkg-config modules> PACKAGE <debian packages>] [SERVER <debian packages>]
#                   [LIBS <targets>] [EXAMPLE])
#
# Builds libnvds_<name>_proto.so from a driver, the core and the client library of PKG, if any; without that library the
# adaptor is skipped. DSMSG_DEFINE_ADAPTOR is in adaptor.cc if drivers must link into one program.
# scripts/setup reads the names of the packages, from the first line of the call: SERVER is what the broker of tests and
# demo needs. DRIVER: it has the driver of that adaptor, declared before. EXAMPLE: it is built, but not installed or tested together with the others.
function(dsmsg_add_adaptor name)
  cmake_parse_arguments(ARG "EXAMPLE" "DRIVER" "PKG;PACKAGE;SERVER;SOURCES;LIBS" ${ARGN})
  string(TOUPPER "DSMSG_${name}_LIB" var)
  if(ARG_PKG)
    dsmsg_pkg(${var} "${ARG_PKG}" "${ARG_PACKAGE}")
    if(NOT ${var}_FOUND)
      return()
    endif()
    list(APPEND ARG_LIBS PkgConfig::${var})
  endif()
  if(ARG_DRIVER)
    add_library(dsmsg_${name}_driver ALIAS dsmsg_${ARG_DRIVER}_driver)
  else()
    # The driver is compiled once, for the adaptor and for its tests.
    add_library(dsmsg_${name}_driver OBJECT ${ARG_SOURCES})
    target_link_libraries(dsmsg_${name}_driver PUBLIC dsmsg_core dsmsg_flags ${ARG_LIBS})
    dsmsg_precompiled(dsmsg_${name}_driver)
  endif()
  set(target nvds_${name}_proto)
  file(GLOB exported CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/adaptor.cc)
  add_library(${target} SHARED ${exported} $<TARGET_OBJECTS:dsmsg_export>)
  target_link_libraries(${target} PRIVATE dsmsg_${name}_driver)
  dsmsg_hide_symbols(${target})
  # For tests/abi: the library that the adaptor is expected to need. For the demo: how to link it.
  list(TRANSFORM ${var}_LIBRARIES PREPEND lib OUTPUT_VARIABLE clients)
  set_target_properties(${target} PROPERTIES
    LINKER_LANGUAGE CXX LIBRARY_OUTPUT_DIRECTORY ${DSMSG_LIB_DIR} DSMSG_CLIENT_LIBRARIES "${clients}"
    DSMSG_CLIENT_MODULES "${ARG_PKG}" DSMSG_CLIENT_PACKAGES "${ARG_PACKAGE}")
  if(ARG_EXAMPLE)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    return()
  endif()
  dsmsg_drop_in(${target})
  set_property(GLOBAL APPEND PROPERTY DSMSG_ADAPTORS ${name})
endfunction()

# dsmsg_add_adaptor_tests(<name> SOURCES <files> [LIBS <targets>])
#
# dsmsg_<name>_tests: the driver against its broker, without the core's session. Does nothing where the adaptor is
# not built.
function(dsmsg_add_adaptor_tests name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  if(NOT DSMSG_TESTS OR NOT TARGET dsmsg_${name}_driver)
    return()
  endif()
  add_executable(dsmsg_${name}_tests ${ARG_SOURCES})
  target_include_directories(dsmsg_${name}_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(dsmsg_${name}_tests PRIVATE dsmsg_${name}_driver ${ARG_LIBS} dsmsg_test_servers GTest::gtest_main)
  dsmsg_use_gtest(dsmsg_${name}_tests)
endfunction()
