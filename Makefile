# Commands around cargo; `make` or `make help` lists them.

CARGO ?= cargo
# Of the random instances that tests try: the same in each run, others with `make test SEED=2`.
SEED ?= 1
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
NASC := $(TARGET_DIR)/release/nasc
DEMO := build/voice/cortex-m4

.DEFAULT_GOAL := help
.PHONY: help build test test-torch test-arm64 docs demo tools clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## Build the compiler, target/release/nasc
	@$(CARGO) build --release --locked

test: tools ## Install missing tools, then check format and lints, run all tests, build the documentation
	@echo '== format'
	@$(CARGO) fmt --check
	@echo '== lints'
	@$(CARGO) clippy --locked --all-targets -- -D warnings
	@echo '== tests'
	@INSTA_UPDATE=no PROPTEST_RNG_SEED=$(SEED) $(CARGO) test --locked --no-fail-fast
	@echo '== documentation'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps
	@echo '== all good'

# Threads that wait for work without sleeping take the cores from each other.
LIBTORCH := $(abspath $(TARGET_DIR))/libtorch
test-torch: tools ## Download libtorch for Linux on x86-64 to target/, then check and test what the torch engine changes
	@python3 -m pip --version >/dev/null 2>&1 || { \
	  echo 'error: pip is not installed: on Debian, apt-get install python3-pip' >&2; exit 1; }
	@python3 tests/libtorch.py $(LIBTORCH)
	@export LIBTORCH="$(LIBTORCH)" OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0; \
	echo '== lints' && \
	$(CARGO) clippy --locked --features torch --all-targets -- -D warnings && \
	echo '== tests' && \
	$(CARGO) test --locked --features torch --lib train:: -- --nocapture --test-threads=1 && \
	INSTA_UPDATE=no $(CARGO) test --locked --features torch --test cli engine

# Of what nasc computes, training and the scoring of integer networks have kernels of their own for a processor. Crates with C sources need the cross
# compiler, as the linker does.
ARM64 := aarch64-unknown-linux-gnu
test-arm64: ## Install missing tools, then run the tests of training and of host kernels for 64-bit Arm in emulation
	@rustup target list --installed | grep -qx $(ARM64) || rustup target add $(ARM64)
	@missing() { \
	  command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 || printf ' gcc-aarch64-linux-gnu'; \
	  case "$$(aarch64-linux-gnu-gcc -print-file-name=libc.so 2>/dev/null)" in \
	    */*) ;; *) printf ' libc6-dev-arm64-cross' ;; esac; \
	  command -v qemu-aarch64 >/dev/null 2>&1 || printf ' qemu-user'; \
	}; \
	packages="$$(missing)"; \
	[ -n "$$packages" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then root=; else root='sudo -n'; fi; \
	echo "installing$$packages"; \
	{ $$root apt-get update && \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$packages; \
	} </dev/null >/dev/null || { echo "error: not installed:$$(missing)" >&2; exit 1; }
	@export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc; \
	export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc; \
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu'; \
	run="$(CARGO) test --locked --target $(ARM64) --target-dir $(TARGET_DIR)/arm64"; \
	$$run --lib -- train:: host:: && $$run --test training_bits --test training_memory

docs: ## Write docs/reference.md anew from the compiler's tables
	@NASC_BLESS=1 $(CARGO) test --locked --test docs

demo: tools build ## Search, train and compile the voice example for a Cortex-M4: about six minutes on two cores
	@examples/voice/fetch.sh
	$(NASC) compile examples/voice/voice.nas --target cortex-m4
	@echo
	@$(NASC) report $(DEMO) -o build/voice/report.html
	@echo 'The C library is in $(DEMO), start with its README.md; open build/voice/report.html in a browser.'

# Every tool has a package; a library is missing if its compiler does not find it.
tools: ## Install compilers and the emulator that tests use, where apt-get and root allow it
	@$(CARGO) --version >/dev/null 2>&1 || { \
	  echo 'error: cargo is not installed: get Rust 1.95 or newer by rustup' >&2; exit 1; }
	@components=; \
	$(CARGO) clippy --version >/dev/null 2>&1 || components="$$components clippy"; \
	$(CARGO) fmt --version >/dev/null 2>&1 || components="$$components rustfmt"; \
	if [ -n "$$components" ]; then \
	  echo "installing$$components"; \
	  rustup component add $$components || { \
	    echo "error: rustup cannot add$$components, which make test needs" >&2; exit 1; }; \
	fi
	@missing() { \
	  command -v arm-none-eabi-gcc >/dev/null 2>&1 || printf ' gcc-arm-none-eabi'; \
	  case "$$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" in \
	    */*) ;; *) printf ' libnewlib-arm-none-eabi' ;; esac; \
	  command -v qemu-system-arm >/dev/null 2>&1 || printf ' qemu-system-arm'; \
	  for tool in clang gcc g++ make; do \
	    command -v "$$tool" >/dev/null 2>&1 || printf ' %s' "$$tool"; done; \
	}; \
	packages="$$(missing)"; \
	[ -n "$$packages" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then root=; else root='sudo -n'; fi; \
	if command -v apt-get >/dev/null 2>&1 && $$root true 2>/dev/null; then \
	  echo "installing$$packages"; \
	  { $$root apt-get update && \
	    $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$packages; \
	  } </dev/null >/dev/null || echo 'apt-get failed' >&2; \
	  packages="$$(missing)"; \
	fi; \
	[ -z "$$packages" ] || \
	  echo "note: not installed:$$packages; tests that need them are skipped" >&2

clean: ## Remove what was built; stores and locks beside specs stay
	@$(CARGO) clean
	@rm -rf build
