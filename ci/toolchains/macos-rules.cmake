# SPDX-License-Identifier: Apache-2.0
# What CMake would learn by asking Apple's own linker: that there is an rpath, and how a bundle is linked without
# -bundle, which zig does not know.
foreach(language C CXX)
    set(CMAKE_SHARED_LIBRARY_RUNTIME_${language}_FLAG "-Wl,-rpath,")
    set(CMAKE_SHARED_MODULE_CREATE_${language}_FLAGS "-shared -Wl,-headerpad_max_install_names")
endforeach()
