# SPDX-License-Identifier: Apache-2.0
# Finds APR and APR-util for Ferry itself and for whoever links its static library, as the target ferry::apr: by their
# package files, else below FERRY_APR_ROOT and wherever CMake looks (vcpkg's trees have no package files on Windows).

# A library of APR that was built without its DLL declares its functions otherwise, and brings its own needs.
function(ferry_find_apr_by_name)
    find_path(FERRY_APR_INCLUDE_DIR apr.h HINTS ${FERRY_APR_ROOT} PATH_SUFFIXES include include/apr-1 apr-1)
    find_path(FERRY_APR_UTIL_INCLUDE_DIR apr_thread_pool.h HINTS ${FERRY_APR_ROOT}
        PATH_SUFFIXES include include/apr-1 apr-1)
    find_library(FERRY_APR_LIBRARY NAMES libapr-1 apr-1 HINTS ${FERRY_APR_ROOT} PATH_SUFFIXES lib)
    find_library(FERRY_APR_UTIL_LIBRARY NAMES libaprutil-1 aprutil-1 HINTS ${FERRY_APR_ROOT} PATH_SUFFIXES lib)
    if(NOT (FERRY_APR_INCLUDE_DIR AND FERRY_APR_UTIL_INCLUDE_DIR AND FERRY_APR_LIBRARY AND FERRY_APR_UTIL_LIBRARY))
        return()
    endif()
    add_library(ferry::apr INTERFACE IMPORTED GLOBAL)
    set_target_properties(ferry::apr PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${FERRY_APR_INCLUDE_DIR};${FERRY_APR_UTIL_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "${FERRY_APR_UTIL_LIBRARY};${FERRY_APR_LIBRARY}")
    get_filename_component(name "${FERRY_APR_LIBRARY}" NAME)
    if(WIN32 AND name MATCHES "^(apr-1\\.lib|libapr-1\\.a)$")
        set_property(TARGET ferry::apr APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS
            APR_DECLARE_STATIC APU_DECLARE_STATIC)
        set_property(TARGET ferry::apr APPEND PROPERTY INTERFACE_LINK_LIBRARIES ws2_32 mswsock rpcrt4 iphlpapi)
    endif()
endfunction()

# ferry_find_apr([REQUIRED])
function(ferry_find_apr)
    if(TARGET ferry::apr)
        return()
    endif()
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND AND NOT FERRY_APR_ROOT)
        pkg_check_modules(FERRY_APR QUIET IMPORTED_TARGET GLOBAL apr-1>=1.7 apr-util-1>=1.6)
    endif()
    if(TARGET PkgConfig::FERRY_APR)
        add_library(ferry::apr INTERFACE IMPORTED GLOBAL)
        set_target_properties(ferry::apr PROPERTIES INTERFACE_LINK_LIBRARIES PkgConfig::FERRY_APR)
    else()
        ferry_find_apr_by_name()
    endif()
    if(NOT TARGET ferry::apr AND "REQUIRED" IN_LIST ARGN)
        message(FATAL_ERROR "APR 1.7 and APR-util 1.6 are needed: neither pkg-config nor CMake finds apr-1 and "
            "apr-util-1. FERRY_APR_ROOT may name the folder that they were installed in.")
    endif()
endfunction()
