# PodFlame: CPU flame graphs of running containers. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VERSION   ?= v0.1.0
PROFILE   ?= release
ifeq ($(origin CC),default)
CC        := gcc
endif
# The demangler is a library for C++: one file is, and the agent is linked as such.
CXX       := $(subst gcc,g++,$(subst clang,clang++,$(CC)))
LLVM_CONFIG ?= $(firstword $(shell command -v llvm-config) $(shell ls /usr/lib/llvm-*/bin/llvm-config 2>/dev/null) llvm-config)
CLANG     ?= clang
BPFTOOL   ?= $(firstword $(shell command -v bpftool) /usr/sbin/bpftool)
IMG       ?= docker.io/library/podflame-operator:$(VERSION)
AGENT_IMG ?= docker.io/library/podflame-agent:$(VERSION)
KUBECTL   ?= kubectl
NAMESPACE := podflame-system

# Objects of each profile and compiler live apart, so that switching never needs a clean.
OUT := build/$(PROFILE)-$(notdir $(CC))
BIN := $(if $(filter release-gcc,$(PROFILE)-$(notdir $(CC))),build/bin,$(OUT)/bin)
V   ?= 0
Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

LIBS_operator := libmicrohttpd gnutls libcurl json-c openssl zlib yaml-0.1
LIBS_agent    := libbpf libdw libelf liblzma zlib json-c openssl
LD_operator    = $(CC)
LD_agent       = $(CXX) $(LDXX_$(PROFILE))
STATIC_agent   = $(shell $(LLVM_CONFIG) --libdir)/libLLVMDemangle.a
WARN   := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
          -Wimplicit-fallthrough -Wnull-dereference -Wcast-align -Wundef -Wno-sign-conversion \
          $(if $(findstring clang,$(CC)),-Wno-unknown-warning-option) -Wno-format-truncation
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection
endif
CFLAGS_release := -O2 -g $(HARDEN)
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread
CFLAGS_analyze := -O1 -g -fanalyzer
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# The C library's headers for arm64; those of the other libraries are this machine's, and alike. As a rule nothing is linked.
CFLAGS_arm64   := --target=aarch64-linux-gnu -O2 -g -nostdlibinc -isystem /usr/aarch64-linux-gnu/include \
                  -idirafter /usr/include -idirafter /usr/include/$(shell gcc -dumpmachine)
# To link it, these are needed: ARM64_ROOT has Debian's packages of them for arm64, as e2e/kernels/check gets them.
LDFLAGS_arm64   = --target=aarch64-linux-gnu -L$(ARM64_ROOT)/usr/lib/aarch64-linux-gnu \
                  -Wl,-rpath-link=$(ARM64_ROOT)/usr/lib/aarch64-linux-gnu:$(ARM64_ROOT)/lib/aarch64-linux-gnu
LDXX_arm64     := -static-libstdc++ -static-libgcc
LDFLAGS_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDXX_release    := -static-libstdc++ -static-libgcc
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_tsan   := -fsanitize=thread
LDFLAGS_fuzz   := -fsanitize=fuzzer,address,undefined
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -I. -I$(OUT) -MMD -MP $(WARN) -ffile-prefix-map=$(CURDIR)=. \
             -DPODFLAME_VERSION='"$(VERSION)"' $(CFLAGS_$(PROFILE)) $(if $(CI),-Werror) $(CFLAGS)

CXXFLAGS_ALL = $(filter-out -nostdlibinc -std=% -Wstrict-prototypes -Wmissing-prototypes,$(CFLAGS_ALL)) -std=c++17 -fno-exceptions -fno-rtti \
             -isystem $(shell $(LLVM_CONFIG) --includedir)

# Every .c outside tests/, fuzz/ and bpf/ belongs to the program whose folder it is in.
sources       = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c)))
LANGUAGES    := agent/runtimes $(addprefix agent/runtimes/,python v8 hotspot)
SRC_lib      := $(call sources,lib lib/podflame)
SRC_operator := $(SRC_lib) $(call sources,lib/kube webhook reconciler certs)
SRC_agent    := $(SRC_lib) $(call sources,agent agent/unwind agent/symbols agent/flame $(LANGUAGES))
CXX_agent    := $(wildcard agent/symbols/*.cc)
ASM_agent    := $(wildcard agent/flame/*.S)
BPF          := $(wildcard agent/bpf/*.bpf.c)
SKEL         := $(BPF:%.bpf.c=$(OUT)/%.skel.h)
TEST_DIRS    := lib lib/kube lib/podflame webhook reconciler certs agent agent/unwind agent/symbols agent/flame $(LANGUAGES)
TESTS        := $(sort $(wildcard $(TEST_DIRS:%=%/tests/test_*.c)))
FUZZERS      := $(sort $(filter-out lib/fuzz/fuzz_replay.c,$(wildcard $(TEST_DIRS:%=%/fuzz/fuzz_*.c))))
objects       = $(addprefix $(OUT)/,$(addsuffix .o,$(basename $(1))))

##@ Build
all: $(BIN)/podflame-operator $(BIN)/podflame-agent ## build both programs into build/bin (CC=clang, PROFILE=asan|tsan)

$(BIN)/podflame-operator: $(call objects,$(SRC_operator))
$(BIN)/podflame-agent: $(call objects,$(SRC_agent) $(CXX_agent) $(ASM_agent))
$(BIN)/podflame-%:
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LD_$*) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_$*)) $(STATIC_$*) -lpthread

$(OUT)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(OUT)/%.o: %.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS_ALL) -c -o $@ $<

$(OUT)/agent/flame/%.o: agent/flame/%.S $(wildcard agent/flame/page.*)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter --target=%,$(CFLAGS_$(PROFILE))) -I. -c -o $@ $<

# The compiler of the kernel side is always clang; the types come from agent/bpf, not from this machine.
$(OUT)/%.bpf.o: %.bpf.c $(wildcard agent/bpf/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -Wall -Wextra -Werror -target bpf -mcpu=v2 -D__TARGET_ARCH_$(if $(filter arm64,$(PROFILE)),arm64,$(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))) \
	  -I. -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

$(OUT)/%.skel.h: $(OUT)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(basename $(notdir $*)) > $@

$(call objects,$(call sources,agent)): | $(SKEL)
$(call objects,$(filter agent/%,$(TESTS) $(FUZZERS))): | $(SKEL)

# One archive a program, without its main: what the unit tests link.
$(OUT)/operator.a: $(call objects,$(filter-out webhook/main.c,$(SRC_operator)))
$(OUT)/agent.a: $(call objects,$(filter-out agent/main.c,$(SRC_agent)) $(CXX_agent) $(ASM_agent))
$(OUT)/operator.a $(OUT)/agent.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

TEST_BIN := $(patsubst %.c,$(OUT)/%,$(TESTS))
FUZZ_BIN := $(patsubst %.c,$(OUT)/%,$(FUZZERS))
RECORDERS := $(OUT)/agent/unwind/tests/record_stack $(OUT)/agent/unwind/tests/record_dump
RECORD_JAVA := $(addprefix $(OUT)/agent/runtimes/hotspot/tests/,record_hotspot record_hotspot_walk)
RECORD_RUNTIMES := $(addprefix $(OUT)/agent/runtimes/,python/tests/record_python v8/tests/record_v8)
define link_test
	$(call say,LD,$@)
	$(Q)$(LD_$(1)) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $$(pkg-config --libs $(LIBS_$(1))) $(STATIC_$(1)) -lpthread
endef
$(filter $(OUT)/agent/%,$(TEST_BIN) $(FUZZ_BIN)) $(RECORDERS) $(RECORD_JAVA) $(RECORD_RUNTIMES): $(OUT)/%: $(OUT)/%.o $(OUT)/agent.a
	$(call link_test,agent)
$(filter-out $(OUT)/agent/%,$(TEST_BIN) $(FUZZ_BIN)): $(OUT)/%: $(OUT)/%.o $(OUT)/operator.a
	$(call link_test,operator)
# Without libFuzzer, a fuzz target is a test that replays its corpus.
ifneq ($(PROFILE),fuzz)
$(FUZZ_BIN): $(OUT)/lib/fuzz/fuzz_replay.o
endif
unit-tests: $(TEST_BIN) $(FUZZ_BIN)
fuzzers: $(FUZZ_BIN)
.PRECIOUS: $(OUT)/%.o $(OUT)/%.bpf.o $(OUT)/%.skel.h

##@ Develop
PACKAGES := gcc g++ libc6-dev make clang llvm llvm-dev bpftool pkg-config libbpf-dev libelf-dev libdw-dev liblzma-dev zlib1g-dev libmicrohttpd-dev libgnutls28-dev \
  libcurl4-openssl-dev libjson-c-dev libyaml-dev libssl-dev uthash-dev libcmocka-dev libclang-rt-dev git python3 jq openssl curl \
  clang-format clang-tidy shellcheck codespell yamllint binutils dwz musl-tools xz-utils libc6-dbg $(if $(shell command -v rustc),,rustc) \
  $(if $(shell command -v node),,nodejs) $(if $(shell command -v javac),,default-jdk-headless) \
  libc6-dev-arm64-cross containerd runc containernetworking-plugins iproute2 iptables buildah mmdebstrap busybox-static util-linux procps ca-certificates
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
missing_packages = $(shell dpkg-query -W -f '$${Package} $${Status}\n' $(PACKAGES) 2>/dev/null | \
  awk -v all='$(PACKAGES)' '/install ok installed/ { sub(/:.*/, "", $$1); have[$$1] = 1 } END { n = split(all, p, " "); for (i = 1; i <= n; i++) if (!have[p[i]]) printf "%s ", p[i] }')

deps: ## install all that building, testing and the demo need (apt; sudo when not root)
	$(SUDO) apt-get update
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(PACKAGES)
	$(SUDO) e2e/cluster/install-go

have-deps:
	@if [ -n "$(missing_packages)" ]; then echo "installing: $(missing_packages)"; $(MAKE) --no-print-directory deps; \
	else $(SUDO) e2e/cluster/install-go; fi

demo: have-deps ## the main job: a cluster (yours with KUBECONFIG), a hot pod, its flame graph in build/demo
	@$(MAKE) --no-print-directory all
	@e2e/demo

demo-clean: ## take the demo's and tests' own cluster down and remove all of it
	@e2e/cluster/down --purge
	@rm -rf build/demo

test: have-deps ## unit, integration and cluster tests; ends with "N passed, N failed"
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory PROFILE=asan unit-tests
	@e2e/test $(SUITE)

fuzz-smoke: have-deps ## fuzz each parser for FUZZ_SECONDS (30); fuzz-NAME: one alone, until stopped or for FUZZ_SECONDS
	@$(MAKE) --no-print-directory PROFILE=fuzz CC=clang fuzzers
	@.ci/fuzz $(or $(FUZZ_SECONDS),30) $(FUZZERS)

FUZZ_NAMES := $(patsubst fuzz_%.c,fuzz-%,$(notdir $(FUZZERS)))
$(FUZZ_NAMES): fuzz-%: have-deps
	@$(MAKE) --no-print-directory PROFILE=fuzz CC=clang fuzzers
	@.ci/fuzz $(or $(FUZZ_SECONDS),0) $(filter %/fuzz_$*.c,$(FUZZERS))

THREADED := $(patsubst %.c,build/tsan-$(notdir $(CC))/%,$(filter lib/kube/% webhook/% reconciler/% certs/%,$(TESTS)))
no_aslr = $(shell setarch -R true 2>/dev/null && echo setarch -R)
tsan: have-deps ## the tests of all that has threads, under ThreadSanitizer
	@$(MAKE) --no-print-directory --silent PROFILE=tsan $(THREADED)
	@printf '%s\n' $(THREADED) | xargs -P "$$(nproc)" -I{} sh -c \
	  '$(no_aslr) {} >{}.log 2>&1 && echo "ok    {}" || { cat {}.log; echo "FAIL  {}"; exit 1; }'

record-stacks: $(RECORDERS) ## make the recorded stacks of agent/unwind/tests anew (elfutils, musl-gcc, go; gcc-aarch64-linux-gnu, qemu-user)
	@agent/unwind/tests/record_stacks $^ $(ONLY)
record-java: $(RECORD_JAVA) ## make the recorded Java virtual machines of agent/runtimes/hotspot/tests anew (of JAVAS: homes of JDKs)
	@agent/runtimes/hotspot/tests/record_hotspots $^ $(JAVAS)
record-runtimes: $(RECORD_RUNTIMES) ## the same of Python and Node.js (of PROGRAMS: paths of python3.N and node; as root)
	@$(SUDO) agent/runtimes/tests/record_runtimes $^ $(PROGRAMS)

arm64-objects: $(call objects,$(SRC_agent) $(ASM_agent))
arm64: have-deps ## compile the agent and its BPF programs for arm64, without linking them
	@$(MAKE) --no-print-directory PROFILE=arm64 CC=clang arm64-objects

KERNEL_PACKAGES := cpio busybox-static $(if $(findstring arm64,$(SUITE)),qemu-system-arm g++-aarch64-linux-gnu,qemu-system-x86)
kernels: have-deps $(BIN)/podflame-agent ## the agent on Debian's kernels 5.10, 6.1 and 6.12, emulated (some minutes; fetches the kernels); SUITE=arm64: on those for arm64
	@dpkg-query -W $(KERNEL_PACKAGES) >/dev/null 2>&1 || $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(KERNEL_PACKAGES)
	@e2e/kernels/check $(SUITE)

runtimes: have-deps $(BIN)/podflame-agent ## the agent on every version of Python, Java and Node.js in Debian's suites and npm, beside their best profilers (RUNTIMES='OPTIONS... python3.13 java...')
	@$(SUDO) e2e/runtimes/images
	@e2e/runtimes/get-peers
	@$(SUDO) env PYTHONS='$(PYTHONS)' NODES='$(NODES)' JAVAS='$(JAVAS)' e2e/runtimes/check $(or $(RUNTIMES),--peers)
	@$(if $(RUNTIMES),,$(SUDO) e2e/runtimes/latency)

bench-webhook: $(BIN)/podflame-operator ## the webhook beside 1,000 slow clients: median answer and memory
	@e2e/bench/slow-clients --operator $<

bench-agent: $(BIN)/podflame-agent ## the agent on native programs of known shares: truth and cost, beside its peers (BENCH='OPTIONS... WORKLOADS...')
	@$(SUDO) e2e/bench/native/run $(or $(BENCH),--peers --pairs 5 $$(e2e/bench/native/run --list))

lint: have-deps ## format, two compilers without a warning, analyzers, layers, scripts, spelling
	@.ci/lint

print-flags:
	@: $(info $(filter-out -MMD -MP,$(subst ',,$(CFLAGS_ALL))))

format: ## rewrite the C files as .clang-format says
	@git ls-files '*.c' '*.cc' '*.h' | xargs clang-format -i

clean: ## remove build/ (a test cluster is taken down first)
	@[ ! -x e2e/cluster/down ] || e2e/cluster/down
	rm -rf build

##@ Install
install: ## install the CRD into the cluster of your kubeconfig
	$(KUBECTL) apply -k config/crd

uninstall: ## remove the CRD, and with it every PodFlame
	$(KUBECTL) delete --ignore-not-found -k config/crd

# kustomize with the two images put in; ROLLOUT, when set, makes the pods start again when its value changes.
rollout_patch = {op: add, path: /spec/template/metadata/annotations, value: {podflame.profilepod.io/rollout: "$(ROLLOUT)"}}
define overlay
	@mkdir -p build/deploy
	@printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' 'resources: [../../config/default]' \
	  'patches:' '  - target: {kind: Deployment, name: podflame-operator}' '    patch: |-' \
	  '      - {op: replace, path: /spec/template/spec/containers/0/image, value: "$(IMG)"}' \
	  '      - {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: "$(AGENT_IMG)"}' \
	  $(if $(ROLLOUT),'      - $(rollout_patch)') > build/deploy/kustomization.yaml
endef

deploy: $(BIN)/podflame-operator ## deploy IMG and AGENT_IMG, make the webhook's CA and wait until it answers
	$(overlay)
	$(KUBECTL) apply -k build/deploy
	$(BIN)/podflame-operator certs ensure
	$(KUBECTL) --namespace $(NAMESPACE) rollout status deployment/podflame-operator --timeout=180s

undeploy: ## remove everything that deploy made, and every PodFlame
	$(KUBECTL) delete --ignore-not-found -k config/default

run: install $(BIN)/podflame-operator ## run the operator on this machine against your kubeconfig, without the webhook
	$(KUBECTL) apply -f config/manager/namespace.yaml -f config/rbac/service_account.yaml
	$(BIN)/podflame-operator run --no-webhook --namespace $(NAMESPACE) --agent-image $(AGENT_IMG)

manifests: ## render config/ as deploy would apply it, to build/manifests.yaml
	$(overlay)
	$(KUBECTL) kustomize build/deploy > build/manifests.yaml

build-installer: ## write dist/install.yaml: all of it in one file, for IMG and AGENT_IMG
	$(overlay)
	@mkdir -p dist
	$(KUBECTL) kustomize build/deploy > dist/install.yaml

##@ Images
CONTAINER_TOOL ?= $(firstword $(shell command -v docker buildah podman) docker)
PLATFORMS      ?= linux/amd64

docker-build: ## build both images (CONTAINER_TOOL=docker|buildah|podman)
	$(CONTAINER_TOOL) build --target operator --build-arg VERSION=$(VERSION) -t $(IMG) .
	$(CONTAINER_TOOL) build --target agent --build-arg VERSION=$(VERSION) -t $(AGENT_IMG) .

docker-push: ## push both images
	$(CONTAINER_TOOL) push $(IMG)
	$(CONTAINER_TOOL) push $(AGENT_IMG)

docker-buildx: ## build both images for PLATFORMS with docker buildx, and push them
	docker buildx build --platform $(PLATFORMS) --target operator --build-arg VERSION=$(VERSION) --push -t $(IMG) .
	docker buildx build --platform $(PLATFORMS) --target agent --build-arg VERSION=$(VERSION) --push -t $(AGENT_IMG) .

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: IMG=%s\n           AGENT_IMG=%s\n           KUBECONFIG, KUBECTL, CC, PROFILE, V=1\n' '$(IMG)' '$(AGENT_IMG)'

.PHONY: all unit-tests fuzzers fuzz-smoke $(FUZZ_NAMES) deps have-deps print-flags demo demo-clean test record-stacks record-java record-runtimes arm64 arm64-objects tsan kernels runtimes bench-webhook bench-agent lint format clean install uninstall deploy undeploy run manifests \
  build-installer docker-build docker-push docker-buildx help
-include $(shell [ -d $(OUT) ] && find $(OUT) -name '*.d')
