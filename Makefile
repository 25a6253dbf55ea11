# PodFlame: CPU flame graphs of running containers. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VERSION   ?= v0.1.0
PROFILE   ?= release
ifeq ($(origin CC),default)
CC        := gcc
endif
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

LIBS_operator := libmicrohttpd libcurl json-c openssl zlib
LIBS_agent    := libbpf libelf zlib json-c openssl
WARN   := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
          -Wimplicit-fallthrough -Wnull-dereference -Wcast-align -Wundef -Wno-sign-conversion -Wno-unknown-warning-option -Wno-format-truncation
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection
endif
CFLAGS_release := -O2 -g $(HARDEN)
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread
CFLAGS_analyze := -O1 -g -fanalyzer
LDFLAGS_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_tsan   := -fsanitize=thread
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -I. -I$(OUT) -MMD -MP $(WARN) -ffile-prefix-map=$(CURDIR)=. \
             -DPODFLAME_VERSION='"$(VERSION)"' $(CFLAGS_$(PROFILE)) $(if $(CI),-Werror) $(CFLAGS)

# Every .c outside tests/, fuzz/ and bpf/ belongs to the program whose folder it is in.
sources       = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c)))
SRC_lib      := $(call sources,lib lib/podflame)
SRC_operator := $(SRC_lib) $(call sources,lib/kube webhook reconciler certs)
SRC_agent    := $(SRC_lib) $(call sources,agent agent/runtimes agent/flame)
ASM_agent    := $(wildcard agent/flame/*.S)
BPF          := $(wildcard agent/bpf/*.bpf.c)
SKEL         := $(BPF:%.bpf.c=$(OUT)/%.skel.h)
TESTS        := $(sort $(wildcard lib/tests/test_*.c lib/*/tests/test_*.c webhook/tests/test_*.c \
                  reconciler/tests/test_*.c certs/tests/test_*.c agent/tests/test_*.c agent/*/tests/test_*.c))
objects       = $(patsubst %.S,$(OUT)/%.o,$(patsubst %.c,$(OUT)/%.o,$(1)))

##@ Build
all: $(BIN)/podflame-operator $(BIN)/podflame-agent ## build both programs into build/bin (CC=clang, PROFILE=asan|tsan)

$(BIN)/podflame-operator: $(call objects,$(SRC_operator))
$(BIN)/podflame-agent: $(call objects,$(SRC_agent) $(ASM_agent))
$(BIN)/podflame-%:
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_$*)) -lpthread

$(OUT)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(OUT)/agent/flame/%.o: agent/flame/%.S $(wildcard agent/flame/page.*)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -c -o $@ $<

# The compiler of the kernel side is always clang; the types come from agent/bpf, not from this machine.
$(OUT)/%.bpf.o: %.bpf.c $(wildcard agent/bpf/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -Wall -Wextra -Werror -target bpf -mcpu=v2 -D__TARGET_ARCH_$(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m))) \
	  -I. -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

$(OUT)/%.skel.h: $(OUT)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(basename $(notdir $*)) > $@

$(call objects,$(call sources,agent)): | $(SKEL)
agent_tests := $(filter agent/%,$(TESTS))
$(call objects,$(agent_tests)): | $(SKEL)

# One archive a program, without its main: what the unit tests link.
$(OUT)/operator.a: $(call objects,$(filter-out webhook/main.c,$(SRC_operator)))
$(OUT)/agent.a: $(call objects,$(filter-out agent/main.c,$(SRC_agent)) $(ASM_agent))
$(OUT)/operator.a $(OUT)/agent.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

TEST_BIN := $(patsubst %.c,$(OUT)/%,$(TESTS))
$(filter $(OUT)/agent/%,$(TEST_BIN)): $(OUT)/%: $(OUT)/%.o $(OUT)/agent.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ -lcmocka $$(pkg-config --libs $(LIBS_agent)) -lpthread
$(filter-out $(OUT)/agent/%,$(TEST_BIN)): $(OUT)/%: $(OUT)/%.o $(OUT)/operator.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ -lcmocka $$(pkg-config --libs $(LIBS_operator)) -lpthread
unit-tests: $(TEST_BIN)
.PRECIOUS: $(OUT)/%.o $(OUT)/%.bpf.o $(OUT)/%.skel.h

clean: ## remove build/ (a test cluster is taken down first)
	@[ ! -x e2e/cluster/down ] || e2e/cluster/down
	rm -rf build

.PHONY: all clean unit-tests
-include $(shell [ -d $(OUT) ] && find $(OUT) -name '*.d')
