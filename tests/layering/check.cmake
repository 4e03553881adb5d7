# cmake -DROOT=DIR -P check.cmake: fails, naming every line, when an include in the tree at ROOT runs upwards.

set(layers base array storage state model engine)  # Lowest first.
set(violations "")

# Every include of the files that `globs` find whose path matches `forbidden` is a violation.
function(forbid forbidden why)
  file(GLOB_RECURSE files ${ARGN})
  foreach(file IN LISTS files)
    file(STRINGS ${file} includes REGEX "^#include")
    foreach(include IN LISTS includes)
      if(include MATCHES "[<\"](${forbidden})")
        file(RELATIVE_PATH name ${ROOT} ${file})
        string(APPEND violations "  ${name}: ${include}: ${why}\n")
      endif()
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

# Sources of a folder.
function(sources folder out)
  set(${out} ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cc PARENT_SCOPE)
endfunction()

set(higher ${layers})
foreach(layer IN LISTS layers)
  list(POP_FRONT higher)
  sources(lib/stepwell/${layer} files)
  if(higher)
    list(JOIN higher "|" names)
    forbid("stepwell/(${names})/" "${layer} stands below it" ${files})
  endif()
  if(NOT layer STREQUAL "model")
    forbid("onnxruntime" "only lib/stepwell/model/onnx knows ONNX Runtime" ${files})
  endif()
endforeach()

file(GLOB model_files ${ROOT}/lib/stepwell/model/*.h ${ROOT}/lib/stepwell/model/*.cc)
if(model_files)
  forbid("onnxruntime" "only lib/stepwell/model/onnx knows ONNX Runtime" ${model_files})
endif()
sources(lib files)
forbid("grpc|stepwell/v1/|server/|client/|stepwell/client/" "nothing under lib/ knows the network" ${files})
sources(client files)
forbid("stepwell/(storage|state|model|engine)/|server/" "the client knows proto and array alone" ${files})
sources(server files)
forbid("client/|stepwell/client/|onnxruntime" "the server stands on the engine" ${files})

if(violations)
  message(FATAL_ERROR "includes that run upwards:\n${violations}")
endif()
