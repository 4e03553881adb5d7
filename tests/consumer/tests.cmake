# The installed package as a user sees it: install it, build a project against it, run what that makes. The
# consumer takes on the flags of this build, as libraries with a sanitizer need its run time.
set(work ${CMAKE_CURRENT_BINARY_DIR}/consumer)
set(prefix ${work}/prefix)
set(flags "${CMAKE_CXX_FLAGS}")
if(STEPWELL_SANITIZE)
  string(APPEND flags " -fsanitize=${STEPWELL_SANITIZE}")
endif()

add_test(NAME consumer_install
  COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR} -DSOURCE=${PROJECT_SOURCE_DIR} -DPREFIX=${prefix}
          -P ${CMAKE_CURRENT_LIST_DIR}/install.cmake)
add_test(NAME consumer_build
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_CURRENT_LIST_DIR} -DWORK=${work}/project -DPREFIX=${prefix}
          -DGENERATOR=${CMAKE_GENERATOR} -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DCXX=${CMAKE_CXX_COMPILER}
          -DCXX_FLAGS=${flags} -P ${CMAKE_CURRENT_LIST_DIR}/build.cmake)
add_test(NAME consumer_remote
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/with_server.sh ${prefix}/${CMAKE_INSTALL_BINDIR}/stepwelld
          ${CMAKE_CURRENT_SOURCE_DIR}/data/equinox ${work}/project/build/remote)
add_test(NAME consumer_embedded
  COMMAND ${work}/project/build/embedded ${CMAKE_CURRENT_SOURCE_DIR}/data/equinox)

set_tests_properties(consumer_install PROPERTIES FIXTURES_SETUP consumer_installed)
set_tests_properties(consumer_build PROPERTIES FIXTURES_REQUIRED consumer_installed FIXTURES_SETUP consumer_built)
set_tests_properties(consumer_remote consumer_embedded PROPERTIES FIXTURES_REQUIRED consumer_built)
set_tests_properties(consumer_install consumer_build consumer_remote consumer_embedded
                     PROPERTIES LABELS consumer TIMEOUT 600)
