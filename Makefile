CARGO ?= cargo
CARGO_HOME ?= $(HOME)/.cargo
RUSTC ?= rustc
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# The static binary is built for musl where rustc has musl's standard library, else for the host's
# own C library, linked statically.
HOST := $(shell $(RUSTC) -vV | sed -n 's/^host: //p')
SYSROOT := $(shell $(RUSTC) --print sysroot)
MUSL := $(subst -gnu,-musl,$(HOST))
TARGET ?= $(if $(wildcard $(SYSROOT)/lib/rustlib/$(MUSL)/lib),$(MUSL),$(HOST))
LIBC = $(if $(findstring musl,$(TARGET)),musl,gnu)
FUZZ_TARGETS = $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 30
# Each target has a target directory of its own, as cargo locks it for the time of a build.
STATIC = target/static/$(TARGET)/release/openai
# Omits the index of the unwind tables (.eh_frame_hdr): 42 KB that nothing reads, because a panic
# aborts.
STATIC_FLAGS = -C target-feature=+crt-static -C link-arg=-Wl,--no-eh-frame-hdr $(REMAP)
# Removes the paths of the build machine from the binary: those of the crates' sources, of the files
# that their build scripts write, and of rustup's source of the standard library. RUSTFLAGS has no
# quoting, so a path with a space stays.
remap = $(if $(word 2,$(1)),,--remap-path-prefix=$(1)=$(2))
REMAP = $(call remap,$(CURDIR),.) $(call remap,$(CARGO_HOME)/registry/src,crates) \
    $(call remap,$(SYSROOT)/lib/rustlib/src/rust,rust)
# For musl, zig's C compiler links, unless the environment names a linker. For this machine's own
# processor rustc links alone if it has the standard library for it.
READY := $(wildcard $(SYSROOT)/lib/rustlib/$(TARGET)/lib)
LINKER_NAME := CARGO_TARGET_$(shell echo $(TARGET) | tr a-z- A-Z_)_LINKER
LINKER = $($(LINKER_NAME))
ALONE := $(and $(READY),$(filter $(MUSL),$(TARGET)),$(if $(filter build,$(STD)),,yes))
ZIG := $(if $(findstring musl,$(TARGET)),$(if $(LINKER)$(ALONE),,$(CURDIR)/tests/zig-cc.sh))
# Moves sequences of instructions that occur more than once into functions: 29 KB less, for 6 % more
# instructions in a request. For ARM's 64-bit processors LLVM does this anyway; for 32-bit x86 it
# cannot.
ifneq ($(filter x86_64-%-musl,$(TARGET)),)
STATIC_FLAGS += -C llvm-args=-enable-machine-outliner=always
endif
# At a fixed address there is nothing to relocate, which makes 0.1 MB of data resident.
ifneq ($(ZIG)$(filter gnu,$(LIBC)),)
STATIC_FLAGS += -C relocation-model=static
endif
ifdef ZIG
static: export TARGET := $(TARGET)
static: export CC_$(subst -,_,$(TARGET)) = $(ZIG)
static: export $(LINKER_NAME) = $(ZIG)
STATIC_FLAGS += -C link-self-contained=no
endif
# STD=build builds the standard library from its source, as small as the rest and without symbols
# for backtraces, which a stripped binary has none of: 0.2 MB less. It needs unstable options of
# cargo, which RUSTC_BOOTSTRAP allows. It is the default where nothing else is installed, and for
# glibc where the source is.
SOURCE := $(and $(filter gnu,$(LIBC)),$(wildcard $(SYSROOT)/lib/rustlib/src/rust/library/Cargo.lock))
STD ?= $(if $(and $(READY),$(if $(ZIG)$(SOURCE),,yes)),,build)
ifeq ($(STD),build)
BUILD_STD = -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size
# The message of a panic, which is a fault of this program, names the file but not the line: 23 KB.
BUILD_STD_FLAGS = -C force-unwind-tables=no -Z location-detail=file
static: export RUSTC_BOOTSTRAP = 1
# Makes time_t 64 bits wide on 32-bit musl, so that the clock does not end in January 2038.
static: export RUST_LIBC_UNSTABLE_MUSL_V1_2_3 = 1
endif

# Five linker options that not every linker and C library supports. Each is first tried on an empty
# program, which is linked like the real one.
#
# Links with lld, which supports all of them. rustup's compilers bring it and use it anyway.
LLD = -C link-arg=-fuse-ld=lld
# Merges functions with the same code, 17 KB less. No code here compares the addresses of functions.
FOLDED = -C link-arg=-Wl,--icf=all
# Drops the unwind tables, 270 KB, which only a backtrace would read. gcc's startup files need
# theirs.
NO_TABLES = -C link-arg=-Wl,-T,$(PROBE).ld
NO_TABLES_SCRIPT = SECTIONS { /DISCARD/ : { *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame \
    .gcc_except_table* .ARM.exidx* .ARM.extab*) } } INSERT AFTER .text;
# Only with zig, and not tried first: functions that std refers to and this program does not need
# abort, and what they would bring is left out. Without the tables a backtrace, 16 KB, finds
# nothing, and a panic aborts after it anyway. No thread here has a name: setting it brings printf,
# 10 KB.
UNUSED = $(patsubst %,-C link-arg=-Wl$(comma)--defsym=%=abort,_Unwind_Backtrace _Unwind_GetIP pthread_setname_np)
comma := ,
# Moves the code that a plain HTTP request does not run to the end: what TLS shares with the rest,
# then TLS and downloads, then what most runs do not need. The kernel maps 64 KB of the file around
# each page that is executed, so that less of it becomes resident.
ORDERED = -C link-arg=-Wl,-T,$(PROBE).order.ld
SHARED = 4core3ptr 5alloc3 5alloc7raw_vec 16rustls_pki_types 16default_provider 12SecureRandom 15GetRandomFailed
TLS = 6rustls 6webpki 4ring 3net11tls_session 4jobs8download 4jobs11output_file
# Ciphers and variants that most processors do not need.
SPARE = *chacha* *poly1305* *vpaes* *nohw* *sha512*
RARE = 13saphyr_parser 4mpmc 5gjson9modifiers 3api4yaml 4jobs4list 4jobs4wait 4jobs8recovery 4jobs10state_file
ORDER_SCRIPT = SECTIONS { .text.shared : { *($(SHARED:%=.text.*%?*) .text.unlikely .text.unlikely.*) } \
    .text.tls : { *libring*(EXCLUDE_FILE($(SPARE)) .text EXCLUDE_FILE($(SPARE)) .text.*) *($(TLS:%=.text.*%?*)) } \
    .text.rare : { *libring*(.text .text.*) *libunwind*(.text .text.*) *($(RARE:%=.text.*%?*)) } } INSERT AFTER .text;
# Packs relative relocations: 107 KB less in a position-independent binary. With a C library that
# does not support them (glibc before 2.36, musl before 1.2.4) the binary crashes at its start, so
# the empty program is run as well.
PACKED = -C link-arg=-Wl,-z,pack-relative-relocs
PROBE = target/static/$(TARGET)/probe
ifeq ($(and $(READY),$(if $(ZIG),,yes)),)
# There is no standard library yet, so that an empty program in C is linked instead.
PROBED = echo 'int main(void) { return 0; }' | $(or $(LINKER),cc) -static -s -o $(PROBE) -x c - \
    $$(printf '%s\n' $$flags $$1 | sed -n 's/^link-arg=//p')
else
PROBED = echo 'fn main() {}' | $(RUSTC) --target $(TARGET) $(if $(LINKER),-C linker=$(LINKER)) -o $(PROBE) - \
    $$flags $$1
endif

# The targets that run the static binary build it first. With BINARY=path they run that file, and
# build nothing.
ifndef BINARY
BINARY = $(STATIC)
test-static budgets faults empty-root name-server conformance: static
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lint lint-fuzz deny static dist dist-check packages dist-all dist-all-check test-static budgets \
    faults empty-root name-server conformance fuzz simulate man completions clean

help:
	@echo 'make demo          build, create, extend, list and download videos at stand-ins for OpenAI and xAI: three files'
	@echo 'make test          run every test'
	@echo 'make lint          check format, lints, and the crates against deny.toml'
	@echo 'make static        build one static binary, print its path (TARGET=triple, STD=build)'
	@echo 'make dist          make the release archive for one target, print its path (TARGET=triple)'
	@echo 'make dist-check    build the archive again in another directory, and compare the bytes'
	@echo 'make packages      make a .deb, .rpm, .apk and .ipk of it, print their paths (TARGET=triple)'
	@echo 'make dist-all      archives and packages for all targets, an image, checksums (MINISIGN_KEY=path: signed)'
	@echo 'make dist-all-check  check the packages and the image: install, remove, run'
	@echo 'make test-static   run the integration tests with the static binary (this and below: BINARY=path)'
	@echo 'make budgets       measure the static binary against its budgets, side by side with curl'
	@echo 'make faults        cut runs with a state file at every system call, and repeat them (FAULTS=fsync: only these)'
	@echo 'make empty-root    run the static binary in an empty root'
	@echo 'make name-server   run the static binary against a faulty name server (as root; OTHER=path: that one too)'
	@echo 'make conformance   run the static binary against Steady, a mock server of the API'
	@echo 'make fuzz          search for input that violates tests/properties, FUZZ_SECONDS=30 for each target'
	@echo 'make simulate      play random histories of a job with a state file (HISTORIES=1000000, SEED=n: that one)'
	@echo 'make man           write the man pages, print their paths'
	@echo 'make completions   write the completions for bash, zsh and fish, print their paths'
	@echo 'make clean         remove all build results'

# First OpenAI's version of the API, with an upload, then xAI's with a URL: the last line of its log
# is the download from another origin.
demo:
	$(CARGO) build --locked --release --bin openai --example standin
	PATH="$(abspath $(TARGET_DIR))/release:$$PATH" \
	    $(TARGET_DIR)/release/examples/standin --log -- bash tests/demo.sh $(TARGET_DIR)
	$(TARGET_DIR)/release/examples/standin --like xai --log -- \
	    $(TARGET_DIR)/release/openai videos extend --field model=grok-imagine-video --field duration:=6 \
	    --prompt "The camera pulls back" --video https://example.com/clip.mp4 \
	    --output $(TARGET_DIR)/extended-xai.mp4
	@ls -l $(TARGET_DIR)/created.mp4 $(TARGET_DIR)/extended.mp4 $(TARGET_DIR)/extended-xai.mp4

test:
	$(CARGO) test --locked --no-fail-fast

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(MAKE) --no-print-directory lint-fuzz
	@$(MAKE) --no-print-directory deny

# The fuzz targets include source files of the program. The fuzzer itself, which is C++, is not
# needed to check them.
lint-fuzz: tests/fuzz/Cargo.lock
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	CUSTOM_LIBFUZZER_PATH=none/libnone.a $(CARGO) clippy --manifest-path tests/fuzz/Cargo.toml \
	    --target-dir $(TARGET_DIR) -- -D warnings

tests/fuzz/Cargo.lock: Cargo.lock
	cp Cargo.lock $@

# The database of advisories is a repository of its own. If it cannot be fetched, an older copy is
# used, and its date is printed.
deny:
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
	    echo 'not checked: licences, sources, duplicates and advisories of the crates: cargo-deny is missing' \
	        '(cargo install --locked cargo-deny)'; \
	    exit; \
	fi; \
	$(CARGO) deny --locked check bans licenses sources || exit; \
	why=$$(GIT_TERMINAL_PROMPT=0 timeout 60 $(CARGO) deny fetch db 2>&1); fetched=$$?; \
	set -- $(CARGO_HOME)/advisory-dbs/*/crates; \
	if [ ! -d "$$1" ]; then \
	    echo "not checked: advisories of the crates: there is no database: $${why##*fatal: }"; \
	    exit; \
	elif [ $$fetched != 0 ]; then \
	    echo "advisories of $$(git -C "$$1" show -s --format=%cs), no newer ones: $${why##*fatal: }"; \
	fi; \
	$(CARGO) deny --locked --offline check advisories

static:
	@mkdir -p $(dir $(PROBE)); echo '$(NO_TABLES_SCRIPT)' >$(PROBE).ld; echo '$(ORDER_SCRIPT)' >$(PROBE).order.ld; \
	flags="$$RUSTFLAGS $(STATIC_FLAGS)"; \
	links() { $(PROBED) 2>/dev/null; }; \
	$(if $(ZIG),,if links '$(LLD)'; then flags="$$flags $(LLD)"; fi;) \
	if links '$(FOLDED)'; then flags="$$flags $(FOLDED)"; fi; \
	if links '$(NO_TABLES)'; then flags="$$flags $(NO_TABLES)"; fi; \
	if links '$(ORDERED)'; then flags="$$flags $(ORDERED)"; fi; \
	if links '$(PACKED)' && $(PROBE) 2>/dev/null; then flags="$$flags $(PACKED)"; fi; \
	RUSTFLAGS="$$flags $(BUILD_STD_FLAGS) $(if $(ZIG),$(UNUSED))" $(CARGO) build --locked --release --bin openai $(BUILD_STD) \
	    --target $(TARGET) --target-dir target/static/$(TARGET)
	@ln -f target/static/$(TARGET)/$(TARGET)/release/openai $(STATIC)
	@if ! command -v readelf >/dev/null; then \
	    echo 'not checked to be static: readelf is missing (package binutils)'; \
	elif readelf --program-headers $(STATIC) | grep INTERP; then \
	    echo '$(STATIC) is not static: it has an INTERP segment' >&2; exit 1; \
	fi
	@echo $(STATIC)

# The release archive. Its date is that of the release in the CHANGELOG or, before a release, that
# of the commit. Nothing else in it depends on the machine, the user or the time.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
RELEASED := $(shell sed -n '/^## /{s/.*\([0-9]\{4\}-[0-9][0-9]-[0-9][0-9]\).*/\1/p;q;}' CHANGELOG.md)
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell $(if $(RELEASED),date -u -d $(RELEASED) +%s,git log -1 --format=%ct)))
PACKAGE = openai-videos-$(VERSION)-$(TARGET)
BILL = target/dist/bill/$(TARGET)
# Built for this machine: RUSTFLAGS may be meant for the target.
HELPER = env -u RUSTFLAGS $(CARGO) run --locked --quiet --example

dist: static
	@$(if $(EPOCH),,echo 'no date to give: set SOURCE_DATE_EPOCH' >&2; exit 1)
	@$(CARGO) cyclonedx --version >/dev/null 2>&1 || \
	    { echo 'cargo-cyclonedx is missing: cargo install --locked cargo-cyclonedx' >&2; exit 1; }
	@rm -rf target/dist/$(PACKAGE)* $(BILL)
	@mkdir -p target/dist/$(PACKAGE) $(BILL)
	@cp $(STATIC) LICENSE README.md CHANGELOG.md target/dist/$(PACKAGE)
	@$(HELPER) documents target/dist/$(PACKAGE) >/dev/null
	@# It writes beside the manifest that it reads.
	@ln -s $(CURDIR)/Cargo.toml $(CURDIR)/Cargo.lock $(CURDIR)/src $(CURDIR)/tests $(BILL)
	@SOURCE_DATE_EPOCH=$(EPOCH) $(CARGO) cyclonedx --quiet --manifest-path $(BILL)/Cargo.toml --target $(TARGET) \
	    --describe binaries --no-build-deps --format json --spec-version 1.5
	@$(HELPER) inventory $(TARGET) target/dist/$(PACKAGE) $(BILL)/openai_bin.cdx.json
	@cd target/dist && tar --create --file $(PACKAGE).tar --format=ustar --sort=name --mtime=@$(EPOCH) \
	    --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX $(PACKAGE)
	@cd target/dist && gzip -9 --no-name $(PACKAGE).tar && sha256sum $(PACKAGE).tar.gz >$(PACKAGE).tar.gz.sha256
	@cp target/dist/$(PACKAGE)/openai.cdx.json target/dist/$(PACKAGE).cdx.json
	@echo target/dist/$(PACKAGE).tar.gz

dist-check: dist
	@bash tests/dist/check_archive.sh target/dist/$(PACKAGE).tar.gz $(TARGET)

# Packages with the files of the archive. MAINTAINER is written into them.
MAINTAINER ?= the openai-videos authors <openai-videos@packages.invalid>
packages: dist
	@SOURCE_DATE_EPOCH=$(EPOCH) MAINTAINER='$(MAINTAINER)' \
	    bash tests/dist/packages.sh target/dist/$(PACKAGE) $(VERSION) $(TARGET)

# The archives and packages for all targets, and the image. MINISIGN_KEY=path signs the sums.
TARGETS ?= $(addsuffix -unknown-linux-musl,x86_64 i686 aarch64 riscv64gc) \
    $(addsuffix -unknown-linux-musleabihf,armv7 arm)
ARCHIVE = openai-videos-$(VERSION)
# Two targets at a time, as a build uses one processor for most of its time.
dist-all:
	@rm -rf target/dist
	@printf '%s\n' $(TARGETS) | xargs -P 2 -I {} $(MAKE) --no-print-directory packages TARGET={}
	@bash tests/dist/image.sh target/dist/$(ARCHIVE)-oci.tar $(VERSION) $(EPOCH) \
	    $(TARGETS:%=target/dist/$(ARCHIVE)-%)
	@cd target/dist && rm -f *.sha256 && \
	    find . -maxdepth 1 -type f -name 'openai-*' -printf '%f\n' | sort | xargs sha256sum >SHA256SUMS
	@$(if $(MINISIGN_KEY),minisign -S -s $(MINISIGN_KEY) -m target/dist/SHA256SUMS)
	@echo target/dist/SHA256SUMS

dist-all-check: dist-all
	@cd target/dist && sha256sum --check --quiet SHA256SUMS
	$(CARGO) build --locked --example standin
	@SOURCE_DATE_EPOCH=$(EPOCH) MAINTAINER='$(MAINTAINER)' bash tests/dist/check_packages.sh target/dist $(VERSION)
	@bash tests/dist/check_image.sh target/dist/$(ARCHIVE)-oci.tar $(VERSION) $(TARGET_DIR)/debug/examples/standin

# A binary that does not run here runs under qemu-user, without the test that cannot work there: the
# program finds the ignored signals in /proc/self/status, but under qemu those are qemu's own, which
# handles every signal that ends a process. TESTS=filters: only those.
NOT_UNDER_QEMU = a_signal_ignored_by_the_parent_stays_ignored
QEMU_aarch64 = qemu-aarch64-static
QEMU_arm = qemu-arm-static -cpu arm1176
QEMU_armv7 = qemu-arm-static -cpu cortex-a9
QEMU_i686 = qemu-i386-static
QEMU_riscv64gc = qemu-riscv64-static
QEMU = $(QEMU_$(firstword $(subst -, ,$(TARGET))))
UNDER_QEMU = target/static/$(TARGET)/qemu/openai

test-static:
	@if $(BINARY) --version >/dev/null 2>&1; then \
	    set -- $(BINARY); \
	else \
	    qemu=$$(command -v $(firstword $(QEMU))) || { echo '$(firstword $(QEMU)) is missing' >&2; exit 1; }; \
	    mkdir -p $(dir $(UNDER_QEMU)); \
	    printf '#!/bin/sh\nexec %s %s "$$@"\n' "$$qemu $(wordlist 2,9,$(QEMU))" "$$(realpath $(BINARY))" >$(UNDER_QEMU); \
	    chmod +x $(UNDER_QEMU); \
	    $(UNDER_QEMU) --version || exit; \
	    set -- $(UNDER_QEMU) $(NOT_UNDER_QEMU:%=--skip %); \
	    export OPENAI_EMULATED_TARGET=$(TARGET); \
	fi; \
	binary=$$(realpath $$1); shift; \
	OPENAI_UNDER_TEST="$$binary" $(CARGO) test --locked --no-fail-fast --test suite -- $(TESTS) "$$@"

budgets:
	$(CARGO) run --locked --quiet --example budgets -- --libc $(LIBC) $(BINARY)

faults:
	$(CARGO) run --locked --quiet --example faults -- $(BINARY) "$(FAULTS)"

empty-root:
	$(CARGO) build --locked --example standin
	@bash tests/empty_root.sh $(BINARY) $(TARGET_DIR)/debug/examples/standin

name-server:
	$(CARGO) build --locked --example standin --example name_server
	@bash tests/name_server.sh $(TARGET_DIR)/debug/examples/standin $(TARGET_DIR)/debug/examples/name_server \
	    $(BINARY) $(OTHER)

conformance:
	@bash tests/conformance.sh $(BINARY) ../shared/bin/steady

# The suite plays 100,000 histories, and this plays more. SEED=n replays one and prints it.
simulate: export CARGO_PROFILE_TEST_OPT_LEVEL = 2
simulate: export HISTORIES ?= 1000000
simulate:
	$(CARGO) test --locked --lib simulation

# RUSTC_BOOTSTRAP lets a stable compiler instrument memory accesses for the fuzzer. New inputs are
# kept in the target directory for the next run.
fuzz: export RUSTC_BOOTSTRAP = 1
fuzz: export RUST_BACKTRACE = 0
fuzz: tests/fuzz/Cargo.lock
	@command -v cargo-fuzz >/dev/null || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz' >&2; exit 1; }
	$(CARGO) fuzz build --fuzz-dir tests/fuzz
	@for target in $(FUZZ_TARGETS); do \
	    found=$(TARGET_DIR)/fuzz/$$target; mkdir -p $$found; \
	    $(CARGO) fuzz run --fuzz-dir tests/fuzz $$target $$found tests/fuzz/corpus/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -max_len=1000 -timeout=10 </dev/null >$$found.log 2>&1 || \
	        { tail -n 100 $$found.log; exit 1; }; \
	    echo "$$target: $$(grep ^Done $$found.log)"; \
	done

# One program writes the man pages and the completions, from the tables that the parser and the help
# use. mandoc searches the system's directories for the pages that these refer to.
man:
	@$(CARGO) run --locked --quiet --example documents $(TARGET_DIR)/documents | grep /man/
	@if command -v mandoc >/dev/null; then \
	    mandoc -T lint $(TARGET_DIR)/documents/man/*.1 | grep -v 'not found: Xr openai-' || true; \
	else \
	    echo 'not checked: mandoc is missing (package mandoc)'; \
	fi

completions:
	@$(CARGO) run --locked --quiet --example documents $(TARGET_DIR)/documents | grep /completions/

clean:
	$(CARGO) clean
	rm -rf target/static target/dist tests/fuzz/target
