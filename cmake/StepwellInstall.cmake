# The package that find_package(stepwell) finds: targets, what they need, and the version.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/stepwell)
install(EXPORT stepwell-targets NAMESPACE stepwell:: FILE stepwellTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/stepwellConfig.cmake.in ${PROJECT_BINARY_DIR}/stepwellConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0, a new minor version may break what is built on the one before.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/stepwellConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/stepwellConfig.cmake ${PROJECT_BINARY_DIR}/stepwellConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/FindOnnxRuntime.cmake
        DESTINATION ${package_dir})
