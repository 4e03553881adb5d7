# One way to declare a layer, and one to declare its tests, so that every target has the same
# warnings, sanitizers, names and install rules.

option(STEPWELL_BUILD_BENCH "Build the benchmarks" OFF)
option(STEPWELL_BUILD_EXAMPLES "Build the examples also without the tests" OFF)
set(STEPWELL_SANITIZE "" CACHE STRING "Sanitizers for every target, as -fsanitize= takes them")
option(STEPWELL_THREAD_SAFETY "Hold the thread-safety annotations (clang only)" OFF)

if(STEPWELL_SANITIZE)
  add_compile_options(-fsanitize=${STEPWELL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STEPWELL_SANITIZE})
  if(STEPWELL_SANITIZE MATCHES thread)
    # An RPATH, which unlike a RUNPATH holds for what gRPC's libraries load as well: one Abseil for all.
    add_link_options(-Wl,--disable-new-dtags)
  endif()
endif()

# For programs: malloc is jemalloc's, as docs/adr/2026-11-25-jemalloc.md says. Sanitizers bring one of their own.
add_library(stepwell_allocator INTERFACE)
if(NOT STEPWELL_SANITIZE)
  target_sources(stepwell_allocator INTERFACE ${PROJECT_SOURCE_DIR}/server/malloc_conf.cc)
  # A program that calls no function of it by name needs it all the same.
  target_link_libraries(stepwell_allocator INTERFACE
    -Wl,--push-state,--no-as-needed PkgConfig::JEMALLOC -Wl,--pop-state)
endif()

# Warnings and this project's own compile rules, never passed on to who links the target.
function(stepwell_private_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 sees uninitialised values and overlapping copies in inlined containers, optionals and strings where there
    # are none.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized $<$<CONFIG:Release>:-Wno-uninitialized>
                           $<$<CONFIG:Release>:-Wno-restrict>)
  endif()
  if(STEPWELL_THREAD_SAFETY)
    target_compile_options(${target} PRIVATE -Wthread-safety -Werror=thread-safety)
  endif()
endfunction()

# stepwell_layer(NAME SOURCES a.cc … HEADERS a.h … LINKS target …)
# Declares stepwell_NAME with the alias stepwell::NAME. HEADERS are those that are installed: what a user includes, and
# what that includes. Layers under lib/ share the include root lib/, so an include reads the same here and where it is
# installed: "stepwell/array/array.h".
function(stepwell_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(stepwell_${name} STATIC ${arg_SOURCES})
  add_library(stepwell::${name} ALIAS stepwell_${name})
  set_target_properties(stepwell_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(stepwell_${name} PUBLIC cxx_std_20)
  target_sources(stepwell_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/lib FILES ${arg_HEADERS})
  target_link_libraries(stepwell_${name} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  stepwell_private_flags(stepwell_${name})
  install(TARGETS stepwell_${name} EXPORT stepwell-targets FILE_SET HEADERS)
endfunction()

# stepwell_test(NAME SOURCES x_test.cc … LINKS target … [LABEL label] [AS_ONE]); where none is given, the
# label is "lib" for what needs no network and "unit" elsewhere. AS_ONE makes all its tests one of CTest's: for a
# program whose tests are known only when it runs.
function(stepwell_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(arg "AS_ONE" "LABEL" "SOURCES;LINKS" ${ARGN})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
    if(CMAKE_CURRENT_SOURCE_DIR MATCHES "^${PROJECT_SOURCE_DIR}/lib/")
      set(arg_LABEL lib)
    endif()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  stepwell_private_flags(${name})
  if(arg_AS_ONE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS ${arg_LABEL})
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 LABELS ${arg_LABEL})
  endif()
endfunction()
