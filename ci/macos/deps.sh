#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a macOS cross build stands on: the compiler in build/macos-zig, and in build/macos-deps-ARCH (x86_64, aarch64)
# APR, APR-util, expat and CUnit, built from the distribution's source packages. What was built by these same scripts is
# left alone.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/ci/common.sh"
here=$root/ci/macos
zig=$root/build/macos-zig
sources=$root/build/debian-sources
llvm=$(llvm-config --bindir)

# is_current FOLDER FILE...: was FOLDER finished by these FILEs as they are? Else it is emptied.
is_current() {
    folder=$1
    shift
    key=$(cat "$@" | cksum)
    if [ -e "$folder/.finished" ] && [ "$(cat "$folder/.finished")" = "$key" ]; then
        return 0
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    return 1
}

# The lock file says which bytes are accepted.
install_compiler() {
    is_current "$zig" "$here/package-lock.json" "$here/zig.sh" && return
    say "installing the compiler for macOS in $zig"
    cp "$here/package.json" "$here/package-lock.json" "$zig/"
    (cd "$zig" && npm ci --no-audit --no-fund)
    mkdir "$zig/bin"
    for arch in x86_64 aarch64; do
        for tool in cc c++ ar ranlib; do
            ln -s "$here/zig.sh" "$zig/bin/$arch-macos-$tool"
        done
    done
    echo "$key" >"$zig/.finished"
}

# configure_and_install NAME [OPTION...]: for the machine $arch, into $prefix. What configure would learn by running a
# program is told to it, as it is on macOS.
configure_and_install() {
    name=$1
    shift
    cp -R "$sources/$name" "$work/$name"
    cd "$work/$name"
    ./configure --prefix="$prefix" --host="$arch-apple-darwin20" --build="$(./build/config.guess)" \
        CC="$bin-cc" CC_FOR_BUILD=cc AR="$bin-ar" RANLIB="$bin-ranlib" NM="$llvm/llvm-nm" STRIP="$llvm/llvm-strip" \
        LIPO="$llvm/llvm-lipo" OTOOL="$llvm/llvm-otool" DSYMUTIL=: CFLAGS=-O2 "$@" \
        lt_cv_prog_gnu_ld=no lt_cv_ld_force_load=yes ac_cv_file__dev_zero=yes apr_cv_process_shared_works=yes \
        apr_cv_mutex_robust_shared=no apr_cv_mutex_recursive=yes ap_cv_atomic_builtins=yes ap_cv__atomic_builtins=yes \
        ap_cv_atomic_builtins64=yes ap_cv__atomic_builtins64=yes ac_cv_strerror_r_rc_int=yes ac_cv_struct_rlimit=yes \
        ac_cv_func_sem_open=yes ac_cv_working_getaddrinfo=yes ac_cv_working_getnameinfo=yes ac_cv_negative_eai=no \
        apr_cv_gai_addrconfig=yes ac_cv_tcp_nodelay_inherited=yes ac_cv_o_nonblock_inherited=yes \
        apr_cv_tcp_nodelay_with_cork=no
    make -j "$jobs"
    make install
    cd "$root"
}

# Without document types: the distribution's patches compare XML_DTD with a number, and CMake's build gives it none.
install_expat() {
    cmake -S "$sources/expat/expat" -B "$work/expat" -DCMAKE_TOOLCHAIN_FILE="$root/ci/toolchains/macos-$arch.cmake" \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_BUILD_TYPE=Release -DEXPAT_SHARED_LIBS=OFF \
        -DEXPAT_DTD=OFF -DEXPAT_BUILD_TOOLS=OFF -DEXPAT_BUILD_EXAMPLES=OFF -DEXPAT_BUILD_TESTS=OFF \
        -DEXPAT_BUILD_DOCS=OFF
    cmake --build "$work/expat" -j "$jobs"
    cmake --install "$work/expat"
}

install_cunit() {
    cunit=$sources/cunit
    mkdir -p "$work/cunit" "$prefix/include/CUnit" "$prefix/lib/pkgconfig"
    cp "$cunit"/CUnit/Headers/*.h "$prefix/include/CUnit/"
    sed 's/@VERSION@-@RELEASE@/2.1-3/' "$cunit/CUnit/Headers/CUnit.h.in" >"$prefix/include/CUnit/CUnit.h"
    sed -e "s|@prefix@|$prefix|; s|@exec_prefix@|$prefix|; s|@libdir@|$prefix/lib|; s|@includedir@|$prefix/include|" \
        -e 's/@VERSION@-@RELEASE@/2.1-3/' "$cunit/cunit.pc.in" >"$prefix/lib/pkgconfig/cunit.pc"
    for part in Framework Basic Automated Console; do
        for file in "$cunit/CUnit/Sources/$part"/*.c; do
            "$bin-cc" -O2 -w -DVERSION='"2.1-3"' -DPACKAGE='"CUnit"' -I"$prefix/include/CUnit" -c "$file" \
                -o "$work/cunit/$(basename "$file" .c).o"
        done
    done
    "$bin-ar" rcs "$prefix/lib/libcunit.a" "$work"/cunit/*.o
}

install_libraries() {
    arch=$1
    prefix=$root/build/macos-deps-$arch
    is_current "$prefix" "$here/deps.sh" "$here/zig.sh" "$here/package-lock.json" && return
    say "building APR, APR-util, expat and CUnit for macOS on $arch"
    bin=$zig/bin/$arch-macos
    work=$prefix/work
    mkdir "$work"
    configure_and_install apr
    install_expat
    configure_and_install apr-util --with-apr="$prefix" --with-expat="$prefix" --without-iconv --without-crypto \
        --without-ldap --without-gdbm --without-ndbm --without-berkeley-db --without-pgsql --without-mysql \
        --without-sqlite2 --without-sqlite3 --without-oracle --without-freetds --without-odbc
    install_cunit
    rm -rf "$work"
    echo "$key" >"$prefix/.finished"
}

# Most of the time goes into the one-at-a-time questions of configure, so both are built at once.
install_compiler
"$root/ci/debian_source.sh" "$sources" apr apr-util expat cunit
mkdir -p "$root/build/macos-logs"
for arch in x86_64 aarch64; do
    (install_libraries "$arch") >"$root/build/macos-logs/$arch.log" 2>&1 &
    eval "pid_$arch=$!"
done
failed=0
for arch in x86_64 aarch64; do
    eval "wait \"\$pid_$arch\"" || {
        tail -n 40 "$root/build/macos-logs/$arch.log" >&2
        echo "macos/deps.sh: the libraries for $arch could not be built; build/macos-logs/$arch.log tells why" >&2
        failed=1
    }
done
exit "$failed"
