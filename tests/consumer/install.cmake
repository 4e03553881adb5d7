# cmake -DBUILD=DIR -DSOURCE=DIR -DPREFIX=DIR [-DCONFIG=x] -P install.cmake: installs the build in BUILD into a
# fresh PREFIX and sees that nothing in the package points back to where it was built.
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE files ${PREFIX}/*.cmake ${PREFIX}/*.h ${PREFIX}/*.proto)
if(NOT files)
  message(FATAL_ERROR "nothing was installed in ${PREFIX}")
endif()
foreach(file IN LISTS files)
  file(STRINGS ${file} lines REGEX "${SOURCE}")
  if(lines)
    message(FATAL_ERROR "${file} names ${SOURCE}: ${lines}")
  endif()
endforeach()
