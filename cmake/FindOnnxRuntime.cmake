# Finds ONNX Runtime: its own CMake package first (Debian 13 ships one), then a plain prefix with lib/ and
# include/onnxruntime/, as scripts/install-deps.sh lays it out where the distribution has no package.
# Defines onnxruntime::onnxruntime.
find_package(onnxruntime CONFIG QUIET)
if(NOT TARGET onnxruntime::onnxruntime)
  find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
            PATH_SUFFIXES onnxruntime include/onnxruntime
            HINTS ${STEPWELL_ONNXRUNTIME_ROOT} ENV STEPWELL_ONNXRUNTIME_ROOT
            PATHS /opt/onnxruntime)
  find_library(OnnxRuntime_LIBRARY onnxruntime
               PATH_SUFFIXES lib
               HINTS ${STEPWELL_ONNXRUNTIME_ROOT} ENV STEPWELL_ONNXRUNTIME_ROOT
               PATHS /opt/onnxruntime)
endif()
include(FindPackageHandleStandardArgs)
if(TARGET onnxruntime::onnxruntime)
  set(OnnxRuntime_FOUND TRUE)
else()
  find_package_handle_standard_args(OnnxRuntime
    REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "run scripts/install-deps.sh, or set STEPWELL_ONNXRUNTIME_ROOT to a prefix that has it")
  if(OnnxRuntime_FOUND)
    add_library(onnxruntime::onnxruntime UNKNOWN IMPORTED)
    set_target_properties(onnxruntime::onnxruntime PROPERTIES
      IMPORTED_LOCATION "${OnnxRuntime_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${OnnxRuntime_INCLUDE_DIR}")
  endif()
  mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)
endif()
