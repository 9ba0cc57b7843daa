# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` lays down: headers, libraries, the CMake package and ferry.pc. Both package files find the
# tree relative to themselves, so the tree may be moved or installed under another prefix than the configured one.
include(CMakePackageConfigHelpers)

set(ferry_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ferry")
set(ferry_installed)
if(FERRY_BUILD_SHARED)
    list(APPEND ferry_installed ferry)
endif()
if(FERRY_BUILD_STATIC)
    list(APPEND ferry_installed ferry_static)
endif()

install(TARGETS ${ferry_installed} EXPORT ferry_targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

install(EXPORT ferry_targets NAMESPACE ferry:: FILE ferry-targets.cmake DESTINATION "${ferry_package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/ferry-config.cmake.in"
    "${PROJECT_BINARY_DIR}/ferry-config.cmake" INSTALL_DESTINATION "${ferry_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/ferry-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/ferry-config.cmake" "${PROJECT_BINARY_DIR}/ferry-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FerryApr.cmake"
    DESTINATION "${ferry_package_dir}")

set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
    set(pc_libdir "${CMAKE_INSTALL_LIBDIR}")
else()
    file(RELATIVE_PATH pc_up "/${pc_dir}" "/")
    string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
    set(pc_prefix "\${pcfiledir}/${pc_up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(pc_system_libs)
foreach(library IN LISTS ferry_system_libraries)
    string(APPEND pc_system_libs " -l${library}")
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/ferry.pc.in" "${PROJECT_BINARY_DIR}/ferry.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/ferry.pc" DESTINATION "${pc_dir}")
