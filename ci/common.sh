# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the scripts here share once they have set `root`: where packages are found, which compiler has a sanitizer, and
# how a build folder is configured and built. Sourced, never run.

: "${root:?is set by the script that sources this}"
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

have() {
    command -v "$1" >/dev/null 2>&1
}

say() {
    printf '\n=== %s\n' "$*"
}

# Homebrew keeps APR out of the usual places.
if have brew; then
    for keg in apr apr-util; do
        PKG_CONFIG_PATH="$(brew --prefix "$keg")/lib/pkgconfig:${PKG_CONFIG_PATH:-}"
    done
    export PKG_CONFIG_PATH
fi

# cxx_of COMPILER: the C++ compiler that belongs to a C compiler.
cxx_of() {
    case $1 in
    *clang) echo "$1++" ;;
    *gcc) echo "${1%gcc}g++" ;;
    *) echo c++ ;;
    esac
}

# sanitizing_compiler SANITIZERS: the first C compiler whose programs both link and run with them. A fuzzer brings the
# main.
sanitizing_compiler() {
    probe=$(mktemp -d)
    case $1 in
    *fuzzer*) entry='LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return !data && size; }' ;;
    *) entry='main(void) { return 0; }' ;;
    esac
    echo "int $entry" >"$probe/probe.c"
    found=
    for compiler in gcc clang cc; do
        if [ -z "$found" ] && have "$compiler" && have "$(cxx_of "$compiler")" &&
            "$compiler" "-fsanitize=$1" "$probe/probe.c" -o "$probe/probe" 2>/dev/null &&
            "$probe/probe" -runs=0 2>/dev/null; then
            found=$compiler
        fi
    done
    rm -rf "$probe"
    [ -n "$found" ] && echo "$found"
}

# configure_and_build FOLDER CMAKE-ARGUMENT...: the arguments lead CMake to that folder.
configure_and_build() {
    folder=$1
    shift
    if have ccache; then
        set -- "$@" -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
    fi
    # A folder keeps the generator that it was first configured with.
    if have ninja && [ ! -e "$folder/CMakeCache.txt" ]; then
        set -- "$@" -G Ninja
    fi
    cmake "$@" && cmake --build "$folder" -j "$jobs"
}

# build_in FOLDER [CMAKE-OPTION...]: configures and builds the project there.
build_in() {
    build_folder=$1
    shift
    configure_and_build "$build_folder" -S "$root" -B "$build_folder" "$@"
}

# build_preset PRESET [CMAKE-OPTION...]: the same as CMakePresets.json says, in build/PRESET.
build_preset() {
    preset=$1
    shift
    (cd "$root" && configure_and_build "build/$preset" --preset "$preset" "$@")
}
