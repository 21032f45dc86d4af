# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers, as one interface target that every target of ours links.
add_library(dsmsg_flags INTERFACE)
target_compile_options(dsmsg_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor)
if(DSMSG_WERROR)
  target_compile_options(dsmsg_flags INTERFACE -Werror)
endif()
if(DSMSG_SANITIZE)
  target_compile_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(dsmsg_flags INTERFACE -fsanitize=${DSMSG_SANITIZE})
  if(DSMSG_SANITIZE STREQUAL "address")
    target_compile_options(dsmsg_flags INTERFACE -fsanitize=undefined -fno-sanitize-recover=undefined)
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
