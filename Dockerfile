# The images of both programs: docker build --target operator . and docker build --target agent .
# Each holds one program and the shared libraries that it needs: no shell, no package manager.

FROM docker.io/library/debian:bookworm-slim AS build
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        bpftool clang g++ gcc libbpf-dev libc6-dev libcurl4-openssl-dev libdw-dev libelf-dev libgnutls28-dev libjson-c-dev \
        liblzma-dev libmicrohttpd-dev libssl-dev libyaml-dev llvm llvm-dev make pkg-config uthash-dev zlib1g-dev && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
# .dockerignore lists what is sent: a change of anything else leaves this stage cached.
COPY . .
ARG VERSION=v0.1.0
RUN make --jobs="$(nproc)" PROFILE=release VERSION="$VERSION"
# What ldd names is what the loader will look for, the loader itself included, at the same paths.
RUN for program in operator agent; do \
        root=/images/$program && mkdir -p "$root" && \
        strip --strip-debug -o "$root/podflame-$program" "build/bin/podflame-$program" && \
        ldd "build/bin/podflame-$program" | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory="$root" || \
        exit 1; \
    done

FROM scratch AS operator
ARG VERSION=v0.1.0
ARG SOURCE=""
LABEL org.opencontainers.image.title="podflame-operator" \
      org.opencontainers.image.description="Admission webhook and reconciler of PodFlame" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /images/operator /
USER 65532:65532
ENTRYPOINT ["/podflame-operator"]

# The agent runs as user 0 with a handful of capabilities; the pod that the operator makes for it names them.
FROM scratch AS agent
ARG VERSION=v0.1.0
ARG SOURCE=""
LABEL org.opencontainers.image.title="podflame-agent" \
      org.opencontainers.image.description="Profiles one container of a pod on its node, for PodFlame" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /images/agent /
ENTRYPOINT ["/podflame-agent"]
