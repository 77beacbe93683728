# The program and its worker in one image. Built for any x86-64 of the last ten years
# (scripts/cxx), run as an ordinary user, with everything of the installation in /data.
# docs/deploy.md says how it is run; scripts/check-runtime-libs keeps the list of
# libraries true.

FROM golang:1.26-bookworm AS build
WORKDIR /src
ENV GOFLAGS="-buildvcs=false -trimpath"
# System packages and modules first: they change less often than the source.
COPY go.mod go.sum ./
COPY scripts/setup scripts/setup
RUN scripts/setup system && rm -rf /var/lib/apt/lists/*
COPY . .
ARG VERSION=container
RUN make semblance worker VERSION="$VERSION"
# WEIGHTS=none leaves them out: for a registry that must not carry them, or a site that
# brings its own bundle with `semblance models import`.
ARG WEIGHTS=all
ENV SEMBLANCE_MODELS_DIR=/src/weights
RUN mkdir -p weights && if [ "$WEIGHTS" = all ]; then scripts/setup weights; fi

FROM debian:12-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      fonts-dejavu-core \
      # runtime libraries of the worker: begin
      libatlas3-base \
      libdlib19.1 \
      libgcc-s1 \
      libheif1 \
      libjpeg62-turbo \
      libpng16-16 \
      libstdc++6 \
      libtiff6 \
      libturbojpeg0 \
      libwebp7 \
      libwebpdemux2 \
      # runtime libraries of the worker: end
      ca-certificates ffmpeg libtsk19 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin semblance \
    && install -d -m 0700 -o semblance -g semblance /data
COPY --from=build /src/bin/semblance /src/bin/semblance-worker /usr/local/bin/
COPY --from=build /src/weights /usr/share/semblance/models
ENV SEMBLANCE_DATA=/data SEMBLANCE_MODELS_DIR=/usr/share/semblance/models
USER semblance
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["semblance", "health", "--addr", "127.0.0.1:8080"]
ENTRYPOINT ["semblance"]
CMD ["serve", "--addr", "0.0.0.0:8080"]
