# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers, as one interface target that all our targets link.
add_library(dsmsg_flags INTERFACE)
# Other builds warn: with precompiled headers, as the sanitizers' builds have them, GCC 12 sees overflows that are not there.
if(NOT DSMSG_SANITIZE)
  target_compile_options(dsmsg_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
else()
  target_compile_options(dsmsg_flags INTERFACE -Wno-stringop-overflow)
endif()
# What is given away does not name the folders of the machine that built it: same sources, same files.
set(DSMSG_PREFIX_MAPS -ffile-prefix-map=${PROJECT_BINARY_DIR}=build -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
target_compile_options(dsmsg_flags INTERFACE "$<$<CONFIG:Release>:${DSMSG_PREFIX_MAPS}>")
# What is given away checks its buffers, its stack and the table of its functions; distributions expect it. -U: some
# compilers set it themselves.
set(DSMSG_FORTIFY 2)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
  set(DSMSG_FORTIFY 3)
endif()
set(DSMSG_HARDENING -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${DSMSG_FORTIFY} -fstack-protector-strong)
target_compile_options(dsmsg_flags INTERFACE "$<$<CONFIG:Release>:${DSMSG_HARDENING}>")
target_link_options(dsmsg_flags INTERFACE "$<$<CONFIG:Release>:-Wl,-z,relro,-z,now>")
# GCC 12 wrongly reports overlapping copies in std::string (its bug 105329) at full optimisation.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(dsmsg_flags INTERFACE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-Wno-restrict>)
endif()
if(DSMSG_WERROR)
  target_compile_options(dsmsg_flags INTERFACE -Werror)
endif()
if(DSMSG_SANITIZE)
  target_compile_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE} -fno-omit-frame-pointer)
  # GStreamer's flags have the one, hiredis's the other, and precompiled headers are for the same flags only.
  target_compile_options(dsmsg_flags INTERFACE -pthread -D_FILE_OFFSET_BITS=64)
  target_link_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE})
  if(DSMSG_SANITIZE STREQUAL "address")
    # Without vptr: that check needs descriptors, and some tests use all of them up.
    target_compile_options(dsmsg_flags INTERFACE -fsanitize=undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined)
    target_link_options(dsmsg_flags INTERFACE -fsanitize=undefined)
  endif()
  target_compile_definitions(dsmsg_flags INTERFACE DSMSG_SANITIZED=1)
endif()

# dsmsg_pkg(<VAR> <module> <debian package>): an imported target PkgConfig::<VAR>, or <VAR>_FOUND false and a
# line that says what is skipped; with DSMSG_REQUIRE_ALL dsmsg_check_all_found() makes it an error.
function(dsmsg_pkg var module package)
  pkg_check_modules(${var} IMPORTED_TARGET ${module})
  if(NOT ${var}_FOUND)
    string(REGEX MATCH "^[^<>=]+" name "${module}")
    pkg_check_modules(${var}_ANY QUIET ${name})
    if(${var}_ANY_FOUND)
      message(STATUS "dsmsg: ${name} ${${var}_ANY_VERSION} is too old (${module}): what needs it is skipped "
        "(take a newer release of the system, or a newer ${package})")
    else()
      message(STATUS "dsmsg: ${name} not found: what needs it is skipped (Debian, Ubuntu: apt install ${package})")
    endif()
    set_property(GLOBAL APPEND PROPERTY DSMSG_MISSING_PACKAGES ${package})
  endif()
  set(${var}_FOUND ${${var}_FOUND} PARENT_SCOPE)
endfunction()

# What is missing is missing in silence otherwise: few people read the output of a build that succeeds.
function(dsmsg_check_all_found)
  get_property(missing GLOBAL PROPERTY DSMSG_MISSING_PACKAGES)
  if(DSMSG_REQUIRE_ALL AND missing)
    list(REMOVE_DUPLICATES missing)
    list(JOIN missing " " packages)
    message(FATAL_ERROR "dsmsg: libraries are missing (see above). Debian, Ubuntu: apt install ${packages}. "
      "To build without what needs them: cmake -DDSMSG_REQUIRE_ALL=OFF, or "
      "pip install . -C cmake.define.DSMSG_REQUIRE_ALL=OFF")
  endif()
endfunction()

# dsmsg_precompiled(<library> [OWNER]): in the sanitizers' builds, the standard headers that most sources include are
# compiled once, for OWNER and all others. Not in the other builds: there a forgotten #include is an error.
function(dsmsg_precompiled target)
  if(NOT DSMSG_SANITIZE)
    return()
  endif()
  if(ARGC GREATER 1)
    target_precompile_headers(${target} PRIVATE
      <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <deque> <functional> <map> <memory> <mutex>
      <optional> <set> <span> <string> <string_view> <thread> <vector>)
    set_property(GLOBAL PROPERTY DSMSG_PRECOMPILED ${target})
  else()
    get_property(owner GLOBAL PROPERTY DSMSG_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

# dsmsg_use_gtest(<program>): GoogleTest, with its headers compiled once for all test programs, because they take most of
# the time to compile a test; and what these programs share of tests/support.
if(DSMSG_TESTS)
  find_package(GTest REQUIRED)
  add_library(dsmsg_gtest INTERFACE)
  target_link_libraries(dsmsg_gtest INTERFACE dsmsg_flags GTest::gtest GTest::gmock)
  # GCC 12 sees overflows that are not there in std::string (its bug 105329), more of them in precompiled headers.
  target_compile_options(dsmsg_gtest INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  # Optimising the tests themselves takes longer than running them does. The last two as above.
  target_compile_options(dsmsg_gtest INTERFACE -O0 -g1 -pthread -D_FILE_OFFSET_BITS=64)

  set(support ${PROJECT_SOURCE_DIR}/tests/support)
  add_library(dsmsg_test_support OBJECT ${support}/sanitizers.cc ${support}/temp_dir.cc)
  target_link_libraries(dsmsg_test_support PRIVATE dsmsg_gtest)
  target_compile_options(dsmsg_test_support PRIVATE -fPIE)  # as programs are, which use its precompiled headers
  target_precompile_headers(dsmsg_test_support PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  # For tests that start servers.
  add_library(dsmsg_test_servers OBJECT ${support}/server_process.cc)
  target_include_directories(dsmsg_test_servers PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(dsmsg_test_servers PRIVATE dsmsg_core dsmsg_flags)
endif()
function(dsmsg_use_gtest target)
  target_link_libraries(${target} PRIVATE dsmsg_gtest dsmsg_test_support)
  target_precompile_headers(${target} REUSE_FROM dsmsg_test_support)
endfunction()
