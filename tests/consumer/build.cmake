# cmake -DSOURCE=DIR -DWORK=DIR -DPREFIX=DIR -DGENERATOR=x -DBUILD_TYPE=x -DCXX=x -DCXX_FLAGS=x -P build.cmake:
# builds a copy of the consumer in WORK against the package in PREFIX. A copy, so that nothing beside it can be
# reached.
file(REMOVE_RECURSE ${WORK})
file(GLOB files ${SOURCE}/*.cc ${SOURCE}/CMakeLists.txt)
file(COPY ${files} DESTINATION ${WORK}/source)
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${WORK}/source -B ${WORK}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${BUILD_TYPE}
          -DCMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}" -DCMAKE_PREFIX_PATH=${PREFIX}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)
