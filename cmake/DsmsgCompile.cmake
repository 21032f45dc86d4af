# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers, as one interface target that all our targets link.
add_library(dsmsg_flags INTERFACE)
target_compile_options(dsmsg_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
# GCC 12 wrongly reports overlapping copies in std::string (its bug 105329) at full optimisation.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(dsmsg_flags INTERFACE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-Wno-restrict>)
endif()
if(DSMSG_WERROR)
  target_compile_options(dsmsg_flags INTERFACE -Werror)
endif()
if(DSMSG_SANITIZE)
  target_compile_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE})
  if(DSMSG_SANITIZE STREQUAL "address")
    # Without vptr: that check needs descriptors, and some tests use all of them up.
    target_compile_options(dsmsg_flags INTERFACE -fsanitize=undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined)
    target_link_options(dsmsg_flags INTERFACE -fsanitize=undefined)
  endif()
  target_compile_definitions(dsmsg_flags INTERFACE DSMSG_SANITIZED=1)
endif()

# dsmsg_pkg(<VAR> <module> <debian package>): an imported target PkgConfig::<VAR>, or <VAR>_FOUND false and a
# line that says what is skipped.
function(dsmsg_pkg var module package)
  pkg_check_modules(${var} IMPORTED_TARGET ${module})
  if(NOT ${var}_FOUND)
    message(STATUS "dsmsg: ${module} not found: what needs it is skipped (Debian, Ubuntu: apt install ${package})")
  endif()
  set(${var}_FOUND ${${var}_FOUND} PARENT_SCOPE)
endfunction()

# dsmsg_gtest_once: GoogleTest for a program of one file. dsmsg_gtest: with its headers compiled once for each program
# of several: they take most of the time to compile a test.
if(DSMSG_TESTS)
  find_package(GTest REQUIRED)
  add_library(dsmsg_gtest_once INTERFACE)
  target_link_libraries(dsmsg_gtest_once INTERFACE GTest::gtest GTest::gmock)
  target_sources(dsmsg_gtest_once INTERFACE
    ${PROJECT_SOURCE_DIR}/tests/support/sanitizers.cc ${PROJECT_SOURCE_DIR}/tests/support/temp_dir.cc)
  # GCC 12 sees overflows that are not there in std::string (its bug 105329), more of them in precompiled headers.
  target_compile_options(dsmsg_gtest_once INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  # Optimising the tests themselves takes longer than running them does.
  target_compile_options(dsmsg_gtest_once INTERFACE -O0 -g1)
  add_library(dsmsg_gtest INTERFACE)
  target_link_libraries(dsmsg_gtest INTERFACE dsmsg_gtest_once)
  target_precompile_headers(dsmsg_gtest INTERFACE <gmock/gmock.h> <gtest/gtest.h>)
endif()
