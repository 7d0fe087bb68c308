# Target `bundle`: build/plumb-<version>-linux-x86_64.tar.gz, which runs on any x86-64 Linux (experiments/bundle/pack.sh).
#
# In it: plumb, plumb-make-model, libplumb_cuda.so where it was built, every shared library they need, loader and C
# library included; the test programs and scripts that tests/gpu/run.sh takes; the experiments.
add_executable(plumb-launcher EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/launcher.c)
target_compile_options(plumb-launcher PRIVATE -Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wno-format-truncation)
target_compile_definitions(plumb-launcher PRIVATE _GNU_SOURCE)
target_link_options(plumb-launcher PRIVATE -static)

set(bundled plumb plumb-make-model)
if(PLUMB_TESTS AND NOT PLUMB_FUZZ) # fuzzing builds no tests of kernels
  list(APPEND bundled bench-engine bench-context bench-train bench-map)
  foreach(folder ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/device ${CMAKE_SOURCE_DIR}/tests/model
          ${CMAKE_SOURCE_DIR}/tests/engine ${CMAKE_SOURCE_DIR}/tests/train ${CMAKE_SOURCE_DIR}/tests/tsne ${CMAKE_SOURCE_DIR}/tests/cuda)
    if(EXISTS ${folder}/CMakeLists.txt)
      get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
      list(FILTER targets INCLUDE REGEX "^(device_test_|cuda_test_|model_test_golden|model_test_stories|engine_test_|train_test_(gradients|steps)|tsne_test_tsne|measure_test_similarity_device)")
      list(REMOVE_ITEM targets device_test_plugin) # opens files of the build folder
      list(APPEND bundled ${targets})
    endif()
  endforeach()
endif()
if(TARGET plumb_cuda)
  list(APPEND bundled plumb_cuda)
endif()
set(files "")
foreach(target ${bundled})
  string(APPEND files "$<TARGET_FILE:${target}>\n")
endforeach()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/bundle-files.txt CONTENT "${files}")

if(PLUMB_SANITIZE OR PLUMB_FUZZ)
  add_custom_target(bundle COMMAND ${CMAKE_COMMAND} -E echo "a build with sanitizers is not bundled" COMMAND false)
else()
  add_custom_target(bundle
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/pack.sh ${CMAKE_BINARY_DIR} ${PROJECT_VERSION} $<TARGET_FILE:plumb-launcher>
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
  add_dependencies(bundle ${bundled} plumb-launcher)
endif()
